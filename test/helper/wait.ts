/**
 * Waiting without sleeping: for a promise with a deadline, or (only where another process is awaited) by asking
 * again and again until something holds.
 */

const patienceMs = 10_000;
const pauseMs = 5;

/** Resolves as `promise` does, or rejects with a message that names what did not come. */
export async function within<T>(promise: Promise<T>, what: string, deadlineMs: number = patienceMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until the answer is not null; for what happens in another process, where no signal reaches us. */
export async function poll<T>(
  ask: () => T | null | Promise<T | null>,
  what: string,
  deadlineMs: number = patienceMs,
): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > giveUpAt) throw new Error(`${what} did not happen within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

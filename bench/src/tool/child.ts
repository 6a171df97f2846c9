/**
 * One measurement, one process: what ran before must not warm, fill or fragment what is measured next.
 *
 * The parent forks a module and sends it one message; the module answers with one message and is ended.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

type Reply<Result> = { readonly ok: true; readonly result: Result } | { readonly ok: false; readonly error: string };

/** Forks `module` (served by `serveChild`), gives it `spec`, answers its result. It is ended after `timeoutMs`. */
export async function runChild<Spec, Result>(module: URL, spec: Spec, timeoutMs: number): Promise<Result> {
  const child = fork(fileURLToPath(module), {
    execArgv: ["--expose-gc"],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const atExit = (): void => void child.kill("SIGKILL");
  process.once("exit", atExit);
  try {
    const reply = await answerOf<Result>(child, spec, timeoutMs);
    if (!reply.ok) throw new Error(reply.error);
    return reply.result;
  } finally {
    process.off("exit", atExit);
    child.kill("SIGKILL"); // Rivals may leave handles behind that would keep it alive.
  }
}

/** The far side: runs `perform` on the one message that comes and sends back what it answers. */
export function serveChild<Spec, Result>(perform: (spec: Spec) => Promise<Result>): void {
  process.once("message", (spec) => {
    // The parent sends exactly one Spec: both sides are called with the same types.
    void perform(spec as Spec).then(
      (result) => send({ ok: true, result }),
      (error: unknown) => send({ ok: false, error: describe(error) }),
    );
  });
}

/** What and where: the first lines of the stack are this code's, the rest is Node's. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split("\n").slice(0, 3).join("\n");
}

function send(reply: Reply<unknown>): void {
  process.send?.(reply);
}

function answerOf<Result>(child: ChildProcess, spec: unknown, timeoutMs: number): Promise<Reply<Result>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no answer within ${timeoutMs} ms: ${JSON.stringify(spec)}`)),
      timeoutMs,
    );
    child.once("message", (reply) => {
      clearTimeout(timer);
      resolve(reply as Reply<Result>); // What serveChild sends.
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`the measuring process ended early (${signal ?? code}): ${JSON.stringify(spec)}`));
    });
    child.once("error", reject);
    child.send(spec as object, (error) => {
      if (error !== null) reject(error);
    });
  });
}

/**
 * Repeats of a call that are counted: when they come, and what is thrown after the last.
 */
import { expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { seededRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import { ManualClock } from "../testing/manual-clock.js";
import { createCounters } from "./counters.js";
import { type Repeats, resend } from "./resend.js";

/** Calls what fails `failures` times; answers when, by the clock, it was called, and how it ended. */
async function play(failures: number, repeats: Repeats | null, timeoutMs = 60_000) {
  const clock = new ManualClock();
  const store = { ready: () => Promise.resolve() } as unknown as Store; // the least that resend needs
  const counters = createCounters();
  const context = { store, clock, random: seededRandom(1), counters, repeats };
  const fromMs = clock.monotonicMs();
  const calls: number[] = [];
  let ending = null as string | null;
  const call = async () => {
    calls.push(clock.monotonicMs() - fromMs);
    if (calls.length > failures) return "answered";
    throw createError("MR_STORE_UNAVAILABLE", { store: "shaky", reason: `failure ${calls.length}` });
  };
  void resend(context, timeoutMs, call).then(
    (answer) => {
      ending = answer;
    },
    (error: unknown) => {
      ending = (error as Error).message;
    },
  );
  for (let turn = 0; turn < 1_000 && ending === null; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    if (ending === null && clock.nextMs !== null) clock.moveTo(clock.nextMs);
  }
  return { calls, ending, resends: counters.get("resends") };
}

it("B36: repeats a call after 1, 2 and 4 s, and succeeds on the fourth", async () => {
  const { calls, ending, resends } = await play(3, { max: 3, delayMs: 1_000 });
  expect(calls).toEqual([0, 1_000, 3_000, 7_000]);
  expect(ending).toBe("answered");
  expect(resends).toBe(3);
});

it("B36: throws the last error after the last repeat", async () => {
  const { calls, ending } = await play(9, { max: 3, delayMs: 1_000 });
  expect(calls).toEqual([0, 1_000, 3_000, 7_000]);
  expect(ending).toContain("failure 4");
});

it("B36: repeats within the time a call may take at most", async () => {
  const { calls, ending } = await play(9, { max: 9, delayMs: 1_000 }, 4_000);
  expect(calls).toEqual([0, 1_000, 3_000, 4_000]);
  expect(ending).toContain("failure 4");
});

it("B36: repeats without a count as often as there is time for", async () => {
  const { calls, ending } = await play(20, null);
  expect(calls).toHaveLength(21);
  expect(ending).toBe("answered");
});

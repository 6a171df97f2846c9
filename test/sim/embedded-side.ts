/**
 * The embedded store as a side of the comparison: what it answers, and what it has left after being closed and opened
 * again in the middle of the sequences and at their end.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedStore } from "@millrace/core/internal";
import type { Plain } from "../helper/bytes.js";
import { SetClock } from "../helper/set-clock.js";
import { canonicalAnswer, canonicalSnapshot } from "./canonical.js";
import { startUs } from "./sequence.js";
import type { Outcome, Part, Side } from "./side.js";
import { expectSound } from "./sound.js";
import { callStore } from "./store-call.js";

/** After which share of its calls a sequence meets a new life of the store. */
const reopenAt = [0.3, 0.7] as const;

/** Makes the side; each batch gets a directory of its own. */
export async function embeddedSide(): Promise<Side> {
  return { name: "embedded", forgetsWaiters: true, run, close: async () => {} };
}

async function run(parts: readonly Part[]): Promise<readonly Outcome[]> {
  const path = mkdtempSync(join(tmpdir(), "millrace-sim-"));
  const clock = new SetClock(startUs);
  const open = async (): Promise<EmbeddedStore> => {
    const store = new EmbeddedStore({ path, app: "sim", clock });
    await store.open();
    return store;
  };
  let store = await open();
  const reopen = async (): Promise<void> => {
    await store.close();
    store = await open();
  };
  const answers: (Plain | Error)[][] = parts.map(() => []);
  try {
    await Promise.all(parts.map(({ segment }) => store.openSegment(segment)));
    const longest = Math.max(...parts.map(({ calls }) => calls.length));
    const reopenSteps = new Set(reopenAt.map((share) => Math.floor(share * longest)));
    for (let step = 0; step < longest; step++) {
      if (reopenSteps.has(step)) await reopen();
      await Promise.all(
        parts.map(async ({ segment, calls }, i) => {
          const call = calls[step];
          if (call === undefined) return;
          clock.atUs = call.atUs; // a call is applied on its caller's turn, so it sees its own time
          const answer = await callStore(store, segment, call).then(canonicalAnswer, asError);
          answers[i]?.push(answer);
        }),
      );
    }
    await reopen();
    for (const { segment } of parts) await expectSound((params) => store.check(segment, params));
    return parts.map(({ segment }, i): Outcome => {
      const given = answers[i] ?? [];
      const failed = given.find((answer) => answer instanceof Error);
      const shown = given.map((answer) => (answer instanceof Error ? `error: ${answer.message}` : answer));
      if (failed instanceof Error) return { answers: shown, end: null, trouble: failed.stack ?? failed.message };
      return { answers: shown, end: canonicalSnapshot(store.snapshot(segment)) };
    });
  } catch (error) {
    const trouble = asError(error);
    return parts.map(() => ({ answers: [], end: null, trouble: trouble.stack ?? trouble.message }));
  } finally {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

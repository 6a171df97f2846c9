/**
 * Whether a Step may be called again (elsewhere: idempotency check): its function is run with a crash at each point where
 * one may happen, then again as after a rescue, and what it left behind is compared with a run in peace.
 */
import type { Step } from "../app/step.js";
import { encode } from "../base/codec.js";
import { toRemoteError } from "../base/errors.js";
import { silentLogger } from "../base/log.js";
import type { StepContext } from "../workflow/step.js";

/** What the matrix needs to see the effects of a Step. */
export interface CrashMatrixOptions {
  /** What the Step leaves behind: rows, mails, files. Compared by value. */
  effects(): unknown;
  /** Called before each run: nothing of the runs before is left. */
  reset(): Promise<void> | void;
}

/** What came of it. */
export interface CrashMatrix {
  /** Crashes tried. */
  readonly points: number;
  /** Points at which a crash and a repeat leave something else behind than one run in peace: none for an idempotent Step. */
  readonly doubleEffects: readonly string[];
  /** How the repeat ended, point by point. */
  readonly outcomes: readonly CrashOutcome[];
}

/** The end of a repeat. */
export type CrashOutcome =
  | { readonly point: string; readonly state: "completed"; readonly value: unknown }
  | { readonly point: string; readonly state: "failed"; readonly error: string };

/** Crashes at progress notes that are tried at most. */
const NOTES_MAX = 100;

/**
 * Runs a Step's function with a crash at each point: before it, at each of its progress notes, after its effects, and
 * twice over. Nothing is enqueued; context as in a Worker, `idempotencyKey` the same each time and `fence` growing.
 *
 * Errors: what the Step throws when it runs in peace; what `effects` and `reset` throw.
 */
export async function crashMatrix<I, O>(step: Step<I, O>, input: I, options: CrashMatrixOptions): Promise<CrashMatrix> {
  const run = async (crashAt: number | null, fence: number) => {
    const life = new Life(step.stepName, crashAt, fence);
    const crashed = new Promise<"crashed">((resolve) => {
      life.crashed = () => resolve("crashed");
    });
    const value = await Promise.race([Promise.resolve(step.definition.fn(input, life.context)), crashed]);
    return { value, notes: life.notes };
  };

  await options.reset();
  const { notes } = await run(null, 1);
  const wanted = await printOf(options);

  const doubleEffects: string[] = [];
  const outcomes: CrashOutcome[] = [];
  const attempt = async (point: string, before: () => Promise<unknown>) => {
    await options.reset();
    // A first life that fails by itself is as dead as one that crashed.
    await before().catch(() => undefined);
    outcomes.push(
      await run(null, 2).then(
        ({ value }) => ({ point, state: "completed", value }) as const,
        (error: unknown) => ({ point, state: "failed", error: toRemoteError(error).message }) as const,
      ),
    );
    if ((await printOf(options)) !== wanted) doubleEffects.push(point);
  };

  await attempt("before", async () => undefined);
  for (let note = 1; note <= Math.min(notes, NOTES_MAX); note++) await attempt(`progress ${note}`, () => run(note, 1));
  await attempt("after_effect", () => run(null, 1));
  await attempt("duplicate", () => Promise.all([run(null, 1), run(null, 1)]));
  return { points: outcomes.length, doubleEffects, outcomes };
}

/** One life of a process, as far as the Step sees it. */
class Life {
  notes = 0;
  crashed: () => void = () => undefined;
  readonly context: StepContext;

  constructor(step: string, crashAt: number | null, fence: number) {
    const id = `matrix.${step}`;
    this.context = {
      operationId: id,
      unitId: null,
      attempt: 1,
      idempotencyKey: `${id}#0`,
      fence: String(fence),
      deadline: new Date(8.64e15),
      abort: new AbortController().signal,
      log: silentLogger,
      progress: () => {
        if (++this.notes !== crashAt) return;
        this.crashed();
        // Nothing behind this note runs any more, unless the handler catches what no process would hear of.
        throw new Error("the process died here");
      },
    };
  }
}

async function printOf({ effects }: CrashMatrixOptions): Promise<string> {
  return Buffer.from(encode(await effects(), "effects")).toString("base64");
}

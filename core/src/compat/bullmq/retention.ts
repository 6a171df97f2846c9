/**
 * How long finished jobs are kept. BullMQ says it job by job, Millrace Step by Step: so there is one Step for each pair
 * of a few ages, and a job goes to the one whose ages are its own, rounded up.
 */

import { unsupported } from "./refusals.js";
import type { DefaultJobOptions, KeepJobs } from "./types.js";

const DAY_MS = 86_400_000;
/** "For ever", as far as Millrace keeps anything. */
export const KEEP_MS = 3650 * DAY_MS;

/** Ages by the letter they have in a Step's name. `d`: what the Worker says, else for ever. */
const AGES_MS: ReadonlyMap<string, number> = new Map([
  ["1s", 1_000],
  ["1m", 60_000],
  ["1h", 3_600_000],
  ["1d", DAY_MS],
  ["7d", 7 * DAY_MS],
  ["30d", 30 * DAY_MS],
  ["365d", 365 * DAY_MS],
  ["keep", KEEP_MS],
]);
const DEFAULT = "d";

/** What a Worker says of jobs that say nothing. */
export interface WorkerRetention {
  readonly completedMs: number;
  readonly failedMs: number;
}

/** The retention of jobs whose Worker says nothing either: BullMQ removes nothing. */
export const KEEP_ALL: WorkerRetention = { completedMs: KEEP_MS, failedMs: KEEP_MS };

/** One Step of a queue: its name and how long it keeps. */
export interface RetentionStep extends WorkerRetention {
  readonly name: string;
}

/** The Step of jobs that say nothing about retention. */
export const PLAIN_STEP = "job";

/** Every Step of a queue. */
export function stepsOf(worker: WorkerRetention): RetentionStep[] {
  const steps: RetentionStep[] = [{ name: PLAIN_STEP, ...worker }];
  for (const [completed, completedMs] of [[DEFAULT, worker.completedMs] as const, ...AGES_MS]) {
    for (const [failed, failedMs] of [[DEFAULT, worker.failedMs] as const, ...AGES_MS]) {
      if (completed !== DEFAULT || failed !== DEFAULT) {
        steps.push({ name: `${PLAIN_STEP}.${completed}.${failed}`, completedMs, failedMs });
      }
    }
  }
  return steps;
}

/** The Step of a job. `atLeastMs`: children of a flow stay until their parent has read them. Errors: MR_COMPAT_UNSUPPORTED. */
export function stepNameOf(options: DefaultJobOptions, atLeastMs = 0): string {
  const { removeOnComplete, removeOnFail } = options;
  if (removeOnComplete === undefined && removeOnFail === undefined) return PLAIN_STEP;
  const completed = letterOf(removeOnComplete, "removeOnComplete", atLeastMs);
  return `${PLAIN_STEP}.${completed}.${letterOf(removeOnFail, "removeOnFail", atLeastMs)}`;
}

/** How long a Step of that name keeps what completed, as far as a producer knows. */
export function completedMsOf(step: string): number {
  const [, letter = DEFAULT] = step.split(".");
  return AGES_MS.get(letter) ?? KEEP_MS;
}

/** What a Worker's own options say. Errors: MR_COMPAT_UNSUPPORTED. */
export function retentionOfWorker(options: {
  readonly removeOnComplete?: KeepJobs;
  readonly removeOnFail?: KeepJobs;
}): WorkerRetention {
  return {
    completedMs: ageMsOf(options.removeOnComplete, "removeOnComplete") ?? KEEP_MS,
    failedMs: ageMsOf(options.removeOnFail, "removeOnFail") ?? KEEP_MS,
  };
}

function letterOf(given: boolean | number | KeepJobs | undefined, name: string, atLeastMs: number): string {
  const wanted = ageMsOf(given, name);
  if (wanted === null) return DEFAULT;
  for (const [letter, ms] of AGES_MS) if (ms >= Math.max(wanted, atLeastMs)) return letter;
  return "keep";
}

/** Null: nothing was said. */
function ageMsOf(given: boolean | number | KeepJobs | undefined, name: string): number | null {
  if (given === undefined) return null;
  if (given === false || given === -1) return KEEP_MS;
  if (given === true || given === 0) return 1_000;
  if (typeof given === "object" && given !== null) {
    if (given.count === 0) return 1_000;
    if (given.count === undefined && given.limit === undefined && typeof given.age === "number") {
      return Math.max(1, given.age) * 1_000;
    }
  }
  throw unsupported(`\`${name}\` by a count of jobs`, `give an age in seconds: \`${name}: { age: 3600 }\``);
}

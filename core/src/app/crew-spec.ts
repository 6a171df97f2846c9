/**
 * The Workers an App's Foreman is to have: which kinds its Steps need, how many of each, which Queues each kind claims
 * from, and how a thread or process is started for it.
 */
import type { Clock } from "../base/clock.js";
import { type Logger, silentLogger } from "../base/log.js";
import type { StoreDurability } from "../engine/durability.js";
import type { DeskServices } from "../foreman/call-desk.js";
import type { SquadSpec } from "../foreman/crew.js";
import type { CrewSpec } from "../foreman/foreman.js";
import type { Pins } from "../foreman/mix/pins.js";
import type { MixOptions } from "../foreman/mix/settings.js";
import type { MixPlan } from "../foreman/mix/state.js";
import { makeMixPlan } from "../foreman/mix-plan.js";
import { ProcessLine } from "../foreman/process-member.js";
import { ThreadLine } from "../foreman/thread-member.js";
import { type PoolKind, poolOf, type StepDefinition } from "../workflow/step.js";
import type { resolveAppOptions } from "./options.js";

/** What a process says of the mix beside the options of its App. */
export interface MixWishes {
  readonly settings: MixOptions;
  /** Null: those of the environment. */
  readonly pins: Pins | null;
  /** File of the decision log; none is kept without. */
  readonly logPath?: string;
}

/** What the Workers of an App are made from. */
export interface CrewSpecOptions {
  readonly appId: string;
  readonly nodeId: string;
  readonly durability: StoreDurability;
  /** File URL of the module that declares the App. */
  readonly module: string;
  /** Its export that is the App; null to find it. */
  readonly exportName: string | null;
  readonly workers: ReturnType<typeof resolveAppOptions>["workers"];
  readonly mix: MixWishes;
  readonly steps: readonly StepDefinition[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly desk: DeskServices;
}

/** Seats beyond the slots: for what is given ahead, and for what was taken back and not passed yet. */
const SPARE_SEATS = 2_048;
/** Slots the mix may rise to (foreman/mix). */
const MIX_SLOTS_MAX = 64;

/** Describes the Workers of an App. */
export function crewSpecOf(options: CrewSpecOptions): CrewSpec {
  const { appId, nodeId, durability, module, exportName, workers, steps, clock, log, desk } = options;
  const boot = { appId, nodeId, durability, isDebug: wantsDebug(log) };
  const seatCount = Math.max(workers.slots, MIX_SLOTS_MAX) + SPARE_SEATS;
  const { maxHeapMb } = workers;
  return {
    squads: squadsOf(steps, workers),
    limits: {
      maxRssMb: workers.maxRssMb ?? Number.POSITIVE_INFINITY,
      maxOperations: workers.maxOperations ?? Number.POSITIVE_INFINITY,
      maxAgeMs: workers.maxAge ?? Number.POSITIVE_INFINITY,
      stuckAfterMs: workers.stuckAfter,
    },
    openLine: (kind, id, slots, events) => {
      const shared = { module, exportName, id, options: boot };
      if (kind === "process") return new ProcessLine({ boot: shared, maxHeapMb, events });
      return new ThreadLine({ boot: { ...shared, kind, slots }, seatCount, maxHeapMb, clock, events });
    },
    desk,
    mix: { plan: mixPlanOf(workers, options.mix), logPath: options.mix.logPath ?? null },
  };
}

/** The mix that was configured, and how it may change. Errors: MR_INVALID_OPTION for a pin that is no number. */
function mixPlanOf(workers: CrewSpecOptions["workers"], { settings, pins }: MixWishes): MixPlan {
  const { blockingWorkers, asyncWorkers, slots, autoOptimize, optimizationInterval, maxConcurrent } = workers;
  const start = { blocking: blockingWorkers, async: asyncWorkers, slots };
  return makeMixPlan(start, { ...settings, autoOptimize, optimizationInterval, maxConcurrent }, pins ?? undefined);
}

/** Only kinds for which there are Steps; async Workers when there is none at all. */
function squadsOf(steps: readonly StepDefinition[], workers: CrewSpecOptions["workers"]): SquadSpec[] {
  const counts = { async: workers.asyncWorkers, blocking: workers.blockingWorkers, process: workers.processWorkers };
  const queues = queuesOf(steps, workers.queues as readonly string[] | undefined); // names, by its row
  return [...queues].map(([kind, ofKind]) => ({
    kind,
    count: counts[kind],
    slots: kind === "async" ? workers.slots : 1,
    queues: ofKind,
  }));
}

/**
 * The Queues of each kind: those of its Steps, as far as they are to be claimed from. A Queue without Steps may hold
 * anything, so the first kind looks into it and passes on what is not for it.
 */
function queuesOf(steps: readonly StepDefinition[], named: readonly string[] | undefined): Map<PoolKind, string[]> {
  const queues = new Map<PoolKind, string[]>();
  for (const kind of ["async", "blocking", "process"] as const) {
    const own = new Set(steps.filter((step) => poolOf(step) === kind).map((step) => step.queue));
    if (own.size > 0) queues.set(kind, named === undefined ? [...own] : named.filter((queue) => own.has(queue)));
  }
  const [first] = queues.keys();
  if (first === undefined) return new Map([["async", [...(named ?? ["async"])]]]);
  const known = new Set(steps.map((step) => step.queue));
  queues.get(first)?.push(...(named ?? []).filter((queue) => !known.has(queue)));
  return queues;
}

/** Lines nobody reads are not sent from thread to thread. */
function wantsDebug(log: Logger): boolean {
  if (log === silentLogger) return false;
  // A logger like pino's knows which lines it would write.
  const { isLevelEnabled } = log as { isLevelEnabled?: (this: Logger, level: string) => unknown };
  return typeof isLevelEnabled !== "function" || isLevelEnabled.call(log, "debug") === true;
}

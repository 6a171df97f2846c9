/**
 * Duty: a sample each second to the optimiser (mix/optimiser.ts), its decisions to the crew, the log and the metrics.
 * The impure rim of the mix: holds the optimiser's state, knows the time, decides nothing.
 */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { Advice } from "./mix/advice.js";
import { type Decision, signVerdict } from "./mix/decision.js";
import type { HysteresisState } from "./mix/hysteresis.js";
import { isSameMix, KINDS, type Kind, type Mix, type PerPool } from "./mix/mix.js";
import { beginOptimiser, type StepResult, step } from "./mix/optimiser.js";
import { CALM_STALLS, type Stall, stallText } from "./mix/stalls.js";
import type { MixPlan, OptimiserState } from "./mix/state.js";
import type { MixLog } from "./mix-log.js";
import { createMixMetrics, type MixMetrics } from "./mix-metrics.js";
import { type MixSource, Sampler } from "./sampler.js";

/** How often a sample is taken. */
export const SAMPLE_MS = 1_000;

/** What carries a mix out: the crew. */
export interface MixTarget {
  /** The mix that was asked for last. */
  readonly mix: Mix;
  /** Moves to a mix; returns at once, Workers follow as they come free. */
  applyMix(mix: Mix): void;
}

/** What the duty needs. */
export interface OptimiserDutyOptions {
  readonly plan: MixPlan;
  readonly isRegistered: PerPool<boolean>;
  readonly source: MixSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeId: string;
  /** The decision log; null to keep none. */
  readonly mixLog: MixLog | null;
  readonly metrics?: MixMetrics;
  /** Told each decision, after the log. */
  readonly decided?: (decision: Decision) => void;
  /** Told when this Foreman is too small, at most once in the cooldown. */
  readonly advised?: (advice: Advice) => void;
}

/** How the optimiser stands, for people. */
export interface MixView {
  readonly mix: Mix;
  readonly state: HysteresisState;
  readonly urgencies: PerPool<number>;
  readonly stalls: PerPool<Stall>;
  readonly isChanging: boolean;
}

/** Decisions kept in memory, for those who ask. */
const DECISIONS_MAX = 500;

/** Keeps a Foreman's mix. */
export class OptimiserDuty {
  readonly name = "optimise";
  readonly periodMs = SAMPLE_MS;
  readonly metrics: MixMetrics;
  readonly #options: OptimiserDutyOptions;
  readonly #sampler: Sampler;
  readonly #decisions: Decision[] = [];
  #target: MixTarget | null = null;
  #plan: MixPlan;
  #state: OptimiserState;
  #last: Pick<StepResult, "urgencies" | "stalls"> = { urgencies: { blocking: 0, async: 0 }, stalls: CALM_STALLS };
  #isBegun = false;

  constructor(options: OptimiserDutyOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.metrics = options.metrics ?? createMixMetrics();
    this.#sampler = new Sampler(options.source, options.clock);
    const { state, warnings } = beginOptimiser(options.plan, options.isRegistered, options.clock.monotonicMs());
    this.#state = state;
    for (const warning of warnings) options.log.warn({ target: "mix" }, warning);
    this.#gauge();
  }

  /** The mix to start Workers with: the configured one within its bounds. */
  get startMix(): Mix {
    return this.#state.mix;
  }

  /** Names who carries decisions out. Until then nothing is sampled or judged. */
  attach(target: MixTarget): void {
    this.#target = target;
  }

  /** Nobody is moved any more, and no sample is taken. */
  detach(): void {
    this.#target = null;
  }

  /** Takes other settings, another configured mix or other pins; they hold from the next sample on. */
  reload(plan: MixPlan): void {
    this.#plan = plan;
  }

  /** What it was told last. */
  get plan(): MixPlan {
    return this.#plan;
  }

  /** How it stands. */
  view(): MixView {
    const { mix, hysteresis, rollout } = this.#state;
    return { mix, state: hysteresis.state, isChanging: rollout !== null, ...this.#last };
  }

  /** The last decisions, oldest first, at most 500. */
  decisions(): readonly Decision[] {
    return [...this.#decisions];
  }

  /** One sample. Never throws for what a sample, a log or a listener does. */
  async run(): Promise<void> {
    const target = this.#target;
    if (target === null) return;
    const { clock } = this.#options;
    const sample = this.#sampler.take(target.mix);
    if (sample === null && !this.#isBegun) {
      this.#isBegun = true; // two readings make the first sample
      return;
    }
    const result = step(this.#state, sample, clock.monotonicMs(), this.#plan);
    this.#state = result.state;
    this.#tell(result);
    this.#last = { urgencies: result.urgencies, stalls: result.stalls };
    if (result.stage !== null && !isSameMix(result.stage, target.mix)) target.applyMix(result.stage);
    this.#gauge();
  }

  #tell(result: StepResult): void {
    const { log, clock, nodeId, mixLog, decided, advised } = this.#options;
    for (const warning of result.warnings) log.warn({ target: "mix" }, warning);
    for (const kind of KINDS) this.#tellStall(kind, result.stalls[kind]);
    for (const verdict of result.verdicts) {
      const decision = signVerdict(verdict, nodeId, clock.nowMs());
      this.#count(decision);
      this.#decisions.push(decision);
      if (this.#decisions.length > DECISIONS_MAX) this.#decisions.shift();
      mixLog?.write(decision);
      log.debug({ target: "mix", event: decision.event, ...decision.payload.mix_after }, decision.payload.reason);
      this.#safely(() => decided?.(decision));
    }
    const { advice } = result;
    if (advice === null) return;
    this.metrics.add("adviceGiven");
    log.warn({ target: "mix", advice: advice.reason, backlog: advice.backlog }, `scale out: ${advice.sentence}`);
    this.#safely(() => advised?.(advice));
  }

  /** A stall is told when it begins and when it becomes critical. */
  #tellStall(kind: Kind, stall: Stall): void {
    const before = this.#last.stalls[kind].level;
    if (stall.level === before || stall.level === "none" || stall.level === "saturated") return;
    const { log } = this.#options;
    const fields = { target: "mix", kind, cause: stall.cause, forMs: stall.forMs, neededWorkers: stall.neededWorkers };
    this.metrics.add("stallWarnings");
    if (stall.level === "critical") log.error(fields, stallText(kind, stall));
    else log.warn(fields, stallText(kind, stall));
  }

  #count({ event, payload }: Decision): void {
    if (event === "applied" || event === "pinned") this.metrics.add("mixApplied");
    else if (event === "reverted") this.metrics.add("mixReverted");
    else if (event === "override") this.metrics.add("mixOverrides");
    else if (event === "kept") this.metrics.add("mixKept");
    else if (event === "worker_mix_evaluated" && payload.hysteresis_state !== "transitioning") {
      this.metrics.add("mixHeld");
    }
  }

  #gauge(): void {
    const { mix, rollout } = this.#state;
    const asked = rollout?.stage ?? mix;
    this.metrics.set("mixBlocking", asked.blocking);
    this.metrics.set("mixAsync", asked.async);
    this.metrics.set("mixSlots", asked.slots);
    this.metrics.set("urgencyBlocking", this.#last.urgencies.blocking);
    this.metrics.set("urgencyAsync", this.#last.urgencies.async);
  }

  #safely(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#options.log.warn({ target: "mix", error }, "a listener of the mix threw");
    }
  }
}

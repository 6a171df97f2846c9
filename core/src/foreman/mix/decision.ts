/**
 * One line of worker_mix.log: what was decided, from which figures, and why in a sentence. The published schema, so
 * its names are those of the log, not of this code.
 */
import type { HysteresisState } from "./hysteresis.js";
import { KINDS, type Kind, type Mix, type PerPool } from "./mix.js";
import { blockingWeight, headroomOf, headroomScore, type Load, ratesOf, type Times, weightedScore } from "./score.js";
import type { MixSettings } from "./settings.js";
import type { MixSample } from "./telemetry.js";

/**
 * What happened. `worker_mix_evaluated`: the regular look, with or without a change to come; `stage`: one step of a
 * change was asked for; `applied`: a change is complete; `reverted`: it was taken back; `override`: an urgent change
 * began; `pinned`: pins or bounds moved the mix; `kept`: the figures could not be used.
 */
export type DecisionEvent = "worker_mix_evaluated" | "stage" | "applied" | "reverted" | "override" | "pinned" | "kept";

/** A mix as the log writes it. */
export interface MixLetters {
  readonly P: number;
  readonly A: number;
  readonly C: number;
}

/** A queue as the log writes it; deltas are since the sample before. */
export interface QueueFigures {
  readonly backlog: number;
  readonly delta_enqueued: number;
  readonly delta_dequeued: number;
}

/** What a decision was made of. */
export interface DecisionPayload {
  readonly mix_before: MixLetters;
  readonly mix_after: MixLetters;
  /** Score of `mix_after` less that of `mix_before`, in the chosen objective. */
  readonly score_delta: number;
  /** The larger of the two pools' urgencies. */
  readonly urgency: number;
  readonly hysteresis_state: HysteresisState;
  readonly confirmation_ticks: number;
  readonly queues: PerPool<QueueFigures>;
  /** Why, in a sentence. */
  readonly reason: string;
  readonly objective: "headroom" | "weighted";
  readonly scores: { readonly [Name in "headroom" | "weighted"]: { readonly before: number; readonly after: number } };
  /** λ: Operations a second each pool of `mix_before` can do. */
  readonly rates: PerPool<number>;
  /** d: Operations a second each pool must do. */
  readonly demand: PerPool<number>;
  /** T_b, T_p and T_s in ms. */
  readonly times_ms: { readonly b: number; readonly p: number; readonly s: number };
  readonly w_b: number;
  readonly urgencies: PerPool<number>;
  /** The bound that kept the mix from being better; null if none did. */
  readonly binding: string | null;
  readonly depth_minimums: PerPool<number>;
}

/** A decision without its place and time, which only the Foreman knows. */
export interface Verdict {
  readonly event: DecisionEvent;
  readonly payload: DecisionPayload;
}

/** One line of the log. */
export interface Decision extends Verdict {
  /** RFC 3339, UTC, with milliseconds. */
  readonly timestamp: string;
  readonly node_id: string;
}

/** The figures of one sample, as every decision made from it shares them. */
export interface Figures {
  readonly sample: MixSample;
  readonly load: Load;
  readonly times: Times;
  readonly urgencies: PerPool<number>;
  readonly minimums: PerPool<number>;
  readonly objective: MixSettings["objective"];
}

/** What one decision adds to its figures. */
export interface DecisionParts {
  readonly event: DecisionEvent;
  readonly before: Mix;
  readonly after: Mix;
  readonly state: HysteresisState;
  readonly confirmations: number;
  readonly binding: string | null;
  readonly reason: string;
}

/** Builds a decision. */
export function makeVerdict(figures: Figures, parts: DecisionParts): Verdict {
  const { sample, load, times, urgencies, minimums, objective } = figures;
  const before = ratesOf(parts.before, times);
  const after = ratesOf(parts.after, times);
  const scores = {
    headroom: { before: round(headroomScore(before, load)), after: round(headroomScore(after, load)) },
    weighted: { before: round(weightedScore(before, load)), after: round(weightedScore(after, load)) },
  };
  return {
    event: parts.event,
    payload: {
      mix_before: lettersOf(parts.before),
      mix_after: lettersOf(parts.after),
      score_delta: round(scores[objective].after - scores[objective].before),
      urgency: round(Math.max(urgencies.blocking, urgencies.async)),
      hysteresis_state: parts.state,
      confirmation_ticks: parts.confirmations,
      queues: { blocking: figuresOf(sample, "blocking"), async: figuresOf(sample, "async") },
      reason: parts.reason,
      objective,
      scores,
      rates: roundPools(before),
      demand: roundPools(load.demand),
      times_ms: { b: round(times.blockingMs), p: round(times.loopMs), s: round(times.asyncMs) },
      w_b: round(blockingWeight(load)),
      urgencies: roundPools(urgencies),
      binding: parts.binding,
      depth_minimums: minimums,
    },
  };
}

/** Gives a decision its place and time. `nowMs` is by the wall clock. */
export function signVerdict(verdict: Verdict, nodeId: string, nowMs: number): Decision {
  return { timestamp: new Date(nowMs).toISOString(), node_id: nodeId, ...verdict };
}

/** Which pool has least headroom, as the beginning of a reason: "blocking can do 8.0/s of 19.2/s asked (0.42)". */
export function headroomText(figures: Figures, mix: Mix): string {
  const rates = ratesOf(mix, figures.times);
  const headroom = headroomOf(rates, figures.load);
  const kind = KINDS.reduce((a, b) => (headroom[b] < headroom[a] ? b : a));
  if (!Number.isFinite(headroom[kind])) return "nothing is asked for";
  return `${kind} can do ${short(rates[kind])}/s of ${short(figures.load.demand[kind])}/s asked (${short(headroom[kind])})`;
}

function figuresOf(sample: MixSample, kind: Kind): QueueFigures {
  const { backlog, enqueued, dequeued } = sample[kind];
  return { backlog, delta_enqueued: enqueued, delta_dequeued: dequeued };
}

function lettersOf(mix: Mix): MixLetters {
  return { P: mix.blocking, A: mix.async, C: mix.slots };
}

function roundPools(values: PerPool<number>): PerPool<number> {
  return { blocking: round(values.blocking), async: round(values.async) };
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

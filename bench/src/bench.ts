/** What a bench is: told its options, it names its settings first, then measures. */
import type { Gate } from "./tool/gate.js";
import type { Progress } from "./tool/progress.js";
import type { Reading, Settings } from "./tool/result.js";

/** The kinds of store a bench can be limited to. */
export const storeNames = ["redis", "embedded", "memory"] as const;

/** One kind of store. */
export type StoreName = (typeof storeNames)[number];

/** What the command line decides for every bench. `null` leaves the choice to the bench. */
export interface BenchOptions {
  /** Fewer jobs, fewer rounds: a look, not a claim. */
  readonly quick: boolean;
  readonly rounds: number | null;
  readonly store: StoreName | null;
}

/** What a bench found: figures for programs, gates, and what people read. */
export interface Findings extends Reading {
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly gates: readonly Gate[];
}

/** A bench that knows what it will do. */
export interface Plan {
  readonly settings: Settings;
  /** How often `run` will call `progress.step`. */
  readonly steps: number;
  run(progress: Progress): Promise<Findings>;
}

/** One question, asked by name. */
export interface Bench {
  readonly name: string;
  /** The question, in a sentence. */
  readonly sentence: string;
  /** Stores it measures; `--store` picks one of them. */
  readonly stores: readonly StoreName[];
  plan(options: BenchOptions): Plan;
}

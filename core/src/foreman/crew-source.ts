/**
 * Where the optimiser's samples come from in a Foreman with Workers: the crew's totals, and what surveys and one read
 * a second of the Node's own Segment say of what waits.
 *
 * Must not import: the crew's inside. It needs of a Worker what the type below says, so tests bring plain objects.
 */
import type { Clock } from "../base/clock.js";
import { isMillraceError } from "../base/errors.js";
import type { Store } from "../engine/store.js";
import type { CountsAnswer, QueueCounts } from "../engine/transitions.js";
import type { Kind } from "./mix/mix.js";
import { type MixSource, NO_FIGURES, type PoolFigures } from "./sampler.js";

/** What is asked of a crew. */
export interface SampledCrew {
  readonly mix: { readonly slots: number };
  /** What one kind has done since the start, and its Workers now; null if there is none. */
  totals(kind: Kind): {
    readonly claimed: number;
    readonly ended: number;
    readonly runMs: number;
    readonly loopMs: number;
    readonly workers: number;
    readonly busy: number;
  } | null;
}

/** What the source needs. */
export interface CrewSourceOptions {
  readonly crew: SampledCrew;
  /** Queues each kind claims from. */
  readonly queues: { readonly [K in Kind]?: readonly string[] };
  readonly store: Pick<Store, "counts">;
  /** This Node's own Segment. */
  readonly segment: string;
  readonly clock: Clock;
  /** Live Foremen of the App, as far as they are known. */
  readonly foremen: () => number;
}

/** What waits in one Segment, as it was last seen. */
interface Waiting {
  readonly readMs: number;
  readonly queues: readonly QueueCounts[];
}

/** A Segment that was not looked at for so long is left out: it is gone, or somebody else's server does not answer. */
const FORGET_MS = 60_000;

/** Reads a crew. */
export class CrewSource implements MixSource {
  readonly #options: CrewSourceOptions;
  readonly #waiting = new Map<string, Waiting>();
  #isReachable = true;
  #isReading = false;

  constructor(options: CrewSourceOptions) {
    this.#options = options;
  }

  get slots(): number {
    return this.#options.crew.mix.slots;
  }

  /** When the own Segment was read; never, while it was not: then nothing is decided. */
  get backlogReadMs(): number {
    return this.#waiting.get(this.#options.segment)?.readMs ?? Number.NEGATIVE_INFINITY;
  }

  get foremen(): number {
    return Math.max(1, this.#options.foremen());
  }

  get isStoreReachable(): boolean {
    return this.#isReachable;
  }

  /** Takes what a survey saw. */
  looked(segment: string, { queues }: Pick<CountsAnswer, "queues">): void {
    this.#waiting.set(segment, { readMs: this.#options.clock.monotonicMs(), queues });
  }

  /** Reads the own Segment, unless the last read has no answer yet. */
  refresh(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const { store, segment } = this.#options;
    const done = (isReachable: boolean) => {
      this.#isReading = false;
      this.#isReachable = isReachable;
    };
    store.counts(segment).then(
      (counts) => {
        this.looked(segment, counts);
        done(true);
      },
      (error: unknown) => {
        // A Node that has enqueued nothing yet has no Segment: nothing waits there.
        const isUnknown = isMillraceError(error) && error.code === "MR_NOT_FOUND";
        if (isUnknown) this.looked(segment, { queues: [] });
        done(isUnknown);
      },
    );
  }

  figures(kind: Kind): PoolFigures {
    const { crew, queues } = this.#options;
    const totals = crew.totals(kind);
    const own = queues[kind];
    if (totals === null || own === undefined) return NO_FIGURES;
    const { ready, paused } = this.#readyIn(kind, own);
    return {
      ...NO_FIGURES,
      isRegistered: true,
      backlog: ready,
      isPaused: ready === 0 && paused > 0,
      dequeued: totals.claimed,
      ended: totals.ended,
      runMs: totals.runMs,
      loopMs: kind === "async" ? totals.loopMs : 0,
      workers: totals.workers,
      busy: totals.busy,
    };
  }

  /** What waits for a kind over all Segments; a Queue that both kinds claim from counts half for each. */
  #readyIn(kind: Kind, own: readonly string[]): { readonly ready: number; readonly paused: number } {
    const { queues, clock, segment } = this.#options;
    const others = queues[kind === "async" ? "blocking" : "async"] ?? [];
    const oldestMs = clock.monotonicMs() - FORGET_MS;
    const sum = { ready: 0, paused: 0 };
    if (!this.#waiting.has(segment)) return { ready: Number.NaN, paused: 0 };
    for (const [name, waiting] of this.#waiting) {
      if (waiting.readMs < oldestMs && name !== segment) this.#waiting.delete(name);
      for (const { queue, ready, isPaused } of waiting.queues) {
        if (!own.includes(queue)) continue;
        sum[isPaused ? "paused" : "ready"] += others.includes(queue) ? ready / 2 : ready;
      }
    }
    return sum;
  }
}

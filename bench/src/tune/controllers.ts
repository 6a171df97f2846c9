/** Who decides the mix in a simulation: the real optimiser, a fixed mix, or a timetable written with hindsight. */
import { beginOptimiser, type Mix, type MixPlan, type MixSample, step } from "@millrace/core/internal";
import type { Controller } from "./plant.js";

const BOTH = { blocking: true, async: true };

/** The optimiser of core, with all it decided. */
export class OptimiserController implements Controller {
  readonly start: Mix;
  readonly isInstant = false;
  readonly #plan: MixPlan;
  #state;
  /** Changes of the mix that were begun, calm and urgent. */
  changes = 0;
  reverts = 0;
  overrides = 0;
  /** The reasons of changes with the second they were made in. */
  readonly told: { readonly atS: number; readonly event: string; readonly reason: string }[] = [];

  constructor(plan: MixPlan) {
    this.#plan = plan;
    this.#state = beginOptimiser(plan, BOTH, 0).state;
    this.start = this.#state.mix;
  }

  second(sample: MixSample, nowMs: number): Mix | null {
    const result = step(this.#state, sample, nowMs, this.#plan);
    this.#state = result.state;
    for (const { event, payload } of result.verdicts) {
      const isBegun = event === "override" || (event === "worker_mix_evaluated" && isChange(payload));
      if (isBegun) this.changes++;
      if (event === "override") this.overrides++;
      if (event === "reverted") this.reverts++;
      if (isBegun || event === "reverted") this.told.push({ atS: nowMs / 1_000, event, reason: payload.reason });
    }
    return result.stage;
  }
}

/** A mix that stays. */
export function fixed(mix: Mix): Controller {
  return { start: mix, isInstant: false, second: () => null };
}

/** A mix for each phase, taken at its beginning and at once. */
export function timetable(phasesMs: readonly number[], mixes: readonly Mix[]): Controller {
  const [start] = mixes;
  if (start === undefined) throw new Error("a timetable has a first mix");
  return {
    start,
    isInstant: true,
    second: (_, nowMs) => {
      let phase = 0;
      while ((phasesMs[phase + 1] ?? Number.POSITIVE_INFINITY) <= nowMs) phase++;
      return mixes[phase] ?? null;
    },
  };
}

function isChange({ mix_before: a, mix_after: b }: { mix_before: Letters; mix_after: Letters }): boolean {
  return a.P !== b.P || a.A !== b.A || a.C !== b.C;
}

interface Letters {
  readonly P: number;
  readonly A: number;
  readonly C: number;
}

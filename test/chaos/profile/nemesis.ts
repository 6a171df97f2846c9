/**
 * What harms a play: faults by chance from a seed, in two rows. In one the store and the ways to it are harmed, in the
 * other Foremen are killed and stopped; so never more than two faults hold at once, and each heals.
 */
import type { HarmEvent } from "../../checker/run-history.js";
import type { Dice } from "../../sim/dice.js";
import { sharedMs } from "../foremen/journal.js";
import type { Crew } from "./crew.js";
import type { Harm, Place } from "./place.js";
import type { PlayPlan } from "./profile.js";

/** What became of a fault. */
export interface HarmReport {
  readonly harm: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Whether anybody was there to feel it. */
  readonly hasBitten: boolean;
  /** From the end of the fault until the last Foreman that was up began work again; null: of no store. */
  readonly againMs: number | null;
}

/** How long a store may have answered before every Foreman works again. */
export const againMostMs = 3_000;
const againPatienceMs = 20_000;

/** Harms a play until its time is over. */
export class Nemesis {
  readonly reports: HarmReport[] = [];
  readonly #plan: PlayPlan;
  readonly #place: Place;
  readonly #crew: Crew;
  readonly #note: (event: HarmEvent) => void;

  constructor(plan: PlayPlan, place: Place, crew: Crew, note: (event: HarmEvent) => void) {
    this.#plan = plan;
    this.#place = place;
    this.#crew = crew;
    this.#note = note;
  }

  /** Resolves when the time is over and all that was harmed has healed. */
  async run(storeDice: Dice, foremanDice: Dice): Promise<void> {
    const untilMs = sharedMs() + this.#plan.harmMs;
    await Promise.all([
      this.#row(this.#place.harms, storeDice, untilMs, true),
      this.#row(this.#crew.harms, foremanDice, untilMs, false),
    ]);
  }

  async #row(all: readonly Harm[], dice: Dice, untilMs: number, isStore: boolean): Promise<void> {
    const { only, pauseMs } = this.#plan;
    const harms = all.filter(({ name }) => only.length === 0 || only.includes(name));
    if (harms.length === 0) return;
    // Each once, in random order, and again: by chance alone some would hardly come up. The first round is played out.
    let turn = dice.some(harms, harms.length, harms.length);
    let round = 1;
    while (sharedMs() < untilMs || (round === 1 && turn.length > 0)) {
      if (turn.length === 0) {
        turn = dice.some(harms, harms.length, harms.length);
        round++;
      }
      const harm = turn.shift();
      if (harm === undefined) break;
      await pause(dice.between(pauseMs[0], pauseMs[1]));
      await harm.ready?.();
      const fromMs = sharedMs();
      const hasBitten = await harm.inflict(dice);
      const healedMs = sharedMs();
      if (isStore) {
        this.#note({ kind: "harm", harm: harm.name, fromMs, untilMs: healedMs, losesMs: harm.losesMs });
      }
      const againMs = isStore ? await this.#crew.worksAgain(healedMs, againPatienceMs) : null;
      this.reports.push({ harm: harm.name, fromMs, untilMs: healedMs, hasBitten, againMs });
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Interleaved rounds: every contestant once a round, in rotating order, so that a slow minute hurts all alike. */
import type { Progress } from "../tool/progress.js";
import { type Summary, summarise } from "../tool/stats.js";
import { type Course, type Measurement, measure, type Rate, type Stretch } from "./measure.js";
import type { Place } from "./subject.js";
import type { SubjectName } from "./subjects.js";

/** One subject in one place, with the number of jobs and the concurrency it is measured at. */
export interface Contestant {
  readonly label: string;
  readonly subject: SubjectName;
  readonly jobs: number;
  /** Those of the run it takes part in; all of them if left out. */
  readonly courses?: readonly Course[];
  place(): Place;
  concurrency(course: Course): number;
}

/** What stays the same for all contestants. */
export interface RoundsSpec {
  readonly contestants: readonly Contestant[];
  readonly courses: readonly Course[];
  readonly rounds: number;
  readonly callers: number;
  readonly payloadBytes: number;
  /** The least jobs to warm up with, be a quarter less. Default: 5,000. */
  readonly warmupMin?: number;
}

/** The rates of every contestant in every stretch, one element a round, and what made rounds void. */
export interface Rounds {
  readonly rates: ReadonlyMap<string, Partial<Record<Stretch, Rate[]>>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly voids: readonly string[];
}

/** The figures of a stretch over all rounds. */
export interface RateSummary {
  readonly perSecond: Summary;
  readonly nodeUs: Summary;
  readonly redisUs: Summary;
  readonly storeCalls: Summary;
}

/** How many measurements `runRounds` makes. */
export function countMeasurements({ contestants, courses, rounds }: RoundsSpec): number {
  return courses.reduce((sum, course) => sum + contestants.filter(takesPart(course)).length, 0) * rounds;
}

/** Runs all rounds. A measurement that breaks, loses or doubles makes the run void but does not end it. */
export async function runRounds(spec: RoundsSpec, progress: Progress): Promise<Rounds> {
  const rates = new Map<string, Partial<Record<Stretch, Rate[]>>>(spec.contestants.map(({ label }) => [label, {}]));
  const voids: string[] = [];
  let lost = 0;
  let duplicated = 0;
  for (let round = 0; round < spec.rounds; round++) {
    for (const course of spec.courses) {
      for (const contestant of rotate(spec.contestants.filter(takesPart(course)), round)) {
        const what = `${contestant.label} ${course}, round ${round + 1}`;
        progress.doing(what);
        const found = await tryMeasure(spec, contestant, course);
        progress.step();
        if (found instanceof Error) {
          voids.push(`${what}: ${found.message}`);
          continue;
        }
        lost += found.audit.lost;
        duplicated += found.audit.duplicated;
        if (found.audit.lost + found.audit.duplicated > 0) {
          voids.push(
            `${what}: ${found.audit.lost} lost and ${found.audit.duplicated} duplicated of ${found.audit.jobs}`,
          );
        }
        addRates(rates.get(contestant.label) ?? {}, found);
      }
    }
  }
  return { rates, lost, duplicated, voids };
}

function takesPart(course: Course): (contestant: Contestant) => boolean {
  return ({ courses }) => courses?.includes(course) ?? true;
}

/** The rates of one contestant in one stretch, one a round; empty when it was never measured. */
export function ratesOf(rounds: Rounds, label: string, stretch: Stretch): readonly Rate[] {
  return rounds.rates.get(label)?.[stretch] ?? [];
}

/** Medians and spreads of one contestant in one stretch. */
export function summariseRates(rounds: Rounds, label: string, stretch: Stretch): RateSummary {
  const rates = ratesOf(rounds, label, stretch);
  return {
    perSecond: summarise(rates.map((rate) => rate.perSecond)),
    nodeUs: summarise(rates.map((rate) => rate.nodeUs)),
    redisUs: summarise(rates.map((rate) => rate.redisUs ?? Number.NaN)),
    storeCalls: summarise(rates.map((rate) => rate.storeCalls ?? Number.NaN)),
  };
}

/** One contestant's figure over another's, round by round: what one slow minute did to both cancels out. */
export function ratiosOf(
  rounds: Rounds,
  [one, other]: readonly [string, string],
  stretch: Stretch,
  figure: (rate: Rate) => number,
): Summary {
  const below = ratesOf(rounds, other, stretch);
  const ratios = ratesOf(rounds, one, stretch).flatMap((rate, round) => {
    const beside = below[round];
    return beside === undefined ? [] : [figure(rate) / figure(beside)];
  });
  return summarise(ratios);
}

/** Every summary as plain data: label → stretch → figures. */
export function roundsMetrics(rounds: Rounds): Record<string, Record<string, RateSummary>> {
  const labels = [...rounds.rates.entries()];
  return Object.fromEntries(
    labels.map(([label, byStretch]) => [
      label,
      Object.fromEntries(
        // Keys of the record are stretches: addRates writes no other.
        (Object.keys(byStretch) as Stretch[]).map((stretch) => [stretch, summariseRates(rounds, label, stretch)]),
      ),
    ]),
  );
}

/** Jobs before the clock starts: a quarter, and enough for the compiler of a slow rival to have seen its code. */
export function warmupJobs(jobs: number, min = 5000): number {
  return Math.min(jobs, Math.max(min, Math.round(jobs / 4)));
}

async function tryMeasure(spec: RoundsSpec, contestant: Contestant, course: Course): Promise<Measurement | Error> {
  try {
    return await measure({
      subject: contestant.subject,
      course,
      place: contestant.place(),
      jobs: contestant.jobs,
      warmupJobs: warmupJobs(contestant.jobs, spec.warmupMin),
      callers: spec.callers,
      concurrency: contestant.concurrency(course),
      payloadBytes: spec.payloadBytes,
    });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function addRates(into: Partial<Record<Stretch, Rate[]>>, found: Measurement): void {
  for (const [stretch, rate] of Object.entries(found.rates) as [Stretch, Rate][]) {
    const list = into[stretch] ?? [];
    list.push(rate);
    into[stretch] = list;
  }
}

function rotate<T>(list: readonly T[], by: number): readonly T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

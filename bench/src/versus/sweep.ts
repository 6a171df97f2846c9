/** Finds each subject's best concurrency in a place, so that it is compared at its best and not at its default. */
import { number } from "../tool/format.js";
import type { Progress } from "../tool/progress.js";
import { type Course, measure, type Stretch } from "./measure.js";
import { warmupJobs } from "./rounds.js";
import type { Place } from "./subject.js";
import { type SubjectName, subjects } from "./subjects.js";

/** Rates by course and concurrency, and the best concurrency of each course. */
export interface Sweep {
  readonly subject: SubjectName;
  readonly tried: readonly { readonly course: Course; readonly concurrency: number; readonly perSecond: number }[];
  best(course: Course): number;
}

/** What a sweep does to find out. */
export interface SweepSpec {
  readonly subject: SubjectName;
  readonly place: Place;
  readonly concurrencies: readonly number[];
  readonly jobs: number;
  readonly callers: number;
  readonly payloadBytes: number;
}

/** Courses in which jobs run, and the stretch each is judged by. What is best for one way to enqueue is for the other. */
const judged: readonly { readonly course: Course; readonly stretch: Stretch }[] = [
  { course: "bulk", stretch: "process" },
  { course: "together", stretch: "together" },
];

/** How many measurements `sweep` makes for a subject. */
export function countSweep(concurrencies: readonly number[]): number {
  return concurrencies.length < 2 ? 0 : concurrencies.length * judged.length;
}

/** Measures every course at every concurrency once. A broken measurement counts as rate 0; the rounds will show it. */
export async function sweep(spec: SweepSpec, progress: Progress): Promise<Sweep> {
  const tried: { course: Course; concurrency: number; perSecond: number }[] = [];
  for (const { course, stretch } of spec.concurrencies.length < 2 ? [] : judged) {
    for (const concurrency of spec.concurrencies) {
      progress.doing(`${spec.subject} ${course} at concurrency ${concurrency}`);
      // At concurrency 1 a rival is many times slower: a quarter of the jobs tells enough.
      const jobs = Math.round(concurrency === 1 ? spec.jobs / 4 : spec.jobs);
      const perSecond = await measure({ ...spec, course, concurrency, jobs, warmupJobs: warmupJobs(jobs) }).then(
        (found) => found.rates[stretch]?.perSecond ?? 0,
        () => 0,
      );
      tried.push({ course, concurrency, perSecond });
      progress.step();
    }
  }
  const fallback = spec.concurrencies.at(-1) ?? subjects[spec.subject].concurrencies[0] ?? 1;
  return {
    subject: spec.subject,
    tried,
    best: (course) => {
      const like = course === "flood" ? "together" : course;
      const ranked = tried.filter((one) => one.course === like).sort((a, b) => b.perSecond - a.perSecond);
      return ranked[0]?.concurrency ?? fallback;
    },
  };
}

/** A row for each course that was tried: what was swept, every concurrency with its rate, and the best. */
export function sweepRows({ subject, tried, best }: Sweep, before = ""): string[][] {
  return judged
    .map(({ course }) => ({ course, rates: tried.filter((one) => one.course === course) }))
    .filter(({ rates }) => rates.length > 0)
    .map(({ course, rates }) => {
      const text = rates.map((one) => `${one.concurrency}: ${number(one.perSecond)}`).join(" · ");
      return [`${before}${subject}, ${course}`, text, String(best(course))];
    });
}

/** `compat`: the same BullMQ program on BullMQ and on Millrace's BullMQ-compatible door, in interleaved rounds. */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { number, spread, times } from "../tool/format.js";
import { atLeast } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import type { Course, Stretch } from "./measure.js";
import {
  type Contestant,
  countMeasurements,
  type Rounds,
  type RoundsSpec,
  ratiosOf,
  roundsMetrics,
  runRounds,
  summariseRates,
} from "./rounds.js";
import { bulkMax, type Place } from "./subject.js";
import { type SubjectName, subjects } from "./subjects.js";
import { countSweep, type Sweep, sweep, sweepRows } from "./sweep.js";

const callers = 2000;
const payloadBytes = 100;
const courses: readonly Course[] = ["singly", "bulk", "together"];
const ours: SubjectName = "millrace-bullmq";
const rival: SubjectName = "bullmq";
const names: readonly SubjectName[] = [ours, rival];
const timesMin = 5;

const stretches: readonly { readonly stretch: Stretch; readonly label: string }[] = [
  { stretch: "enqueue", label: "add, one await each" },
  { stretch: "bulk", label: "addBulk" },
  { stretch: "process", label: "process" },
  { stretch: "together", label: "add and process together" },
];

/** The bench. */
export const compat: Bench = {
  name: "compat",
  sentence: "one BullMQ program, on BullMQ and through Millrace's BullMQ-compatible door: rates, loss, duplicates",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const rounds = options.rounds ?? (options.quick ? 2 : 5);
  const jobs = (name: SubjectName): number => (options.quick ? subjects[name].jobs / 2 : subjects[name].jobs);
  const contestants = (place: () => Place, best: (name: SubjectName, course: Course) => number): Contestant[] =>
    names.map((subject) => ({
      label: subject,
      subject,
      jobs: jobs(subject),
      place,
      concurrency: (course) => best(subject, course),
    }));
  const spec = (list: readonly Contestant[]): RoundsSpec => ({
    contestants: list,
    courses,
    rounds,
    callers,
    payloadBytes,
  });
  const counted = spec(
    contestants(
      () => ({ store: "memory", url: "memory:" }),
      () => 1,
    ),
  );
  const sweepSteps = names.reduce((sum, name) => sum + countSweep(subjects[name].concurrencies), 0);
  return {
    settings: {
      rounds: `${rounds}, interleaved, rotating order`,
      jobs: Object.fromEntries(names.map((name) => [name, jobs(name)])),
      payload: `${payloadBytes} bytes of JSON, handler answers a number, a \`completed\` listener counts`,
      enqueue: `${callers} concurrent callers, each awaits its own add`,
      bulk: `${bulkMax} jobs a call, one call after the other`,
      redis: persistenceText("none"),
      subjects: Object.fromEntries(
        names.map((name) => [name, `settings: ${subjects[name].settings}; keeps: ${subjects[name].keeps}`]),
      ),
      concurrency: "swept before the rounds for both, best of each course used",
    },
    steps: sweepSteps + countMeasurements(counted),
    run: async (progress) => {
      await using server = await startBenchRedis("none");
      const place: Place = { store: "redis", url: server.url, directUrl: server.url };
      const sweeps = await sweepAll(place, jobs, progress);
      const best = (name: SubjectName, course: Course) =>
        sweeps.find(({ subject }) => subject === name)?.best(course) ?? 1;
      return findings(await runRounds(spec(contestants(() => place, best)), progress), sweeps, rounds);
    },
  };
}

async function sweepAll(place: Place, jobs: (name: SubjectName) => number, progress: Progress): Promise<Sweep[]> {
  const sweeps: Sweep[] = [];
  for (const subject of names) {
    const { concurrencies } = subjects[subject];
    sweeps.push(
      await sweep({ subject, place, concurrencies, jobs: jobs(subject) / 2, callers, payloadBytes }, progress),
    );
  }
  return sweeps;
}

function findings(rounds: Rounds, sweeps: readonly Sweep[], count: number): Findings {
  const ratio = (stretch: Stretch) => ratiosOf(rounds, [ours, rival], stretch, (rate) => rate.perSecond);
  return {
    metrics: {
      subjects: roundsMetrics(rounds),
      timesBullmq: Object.fromEntries(stretches.map(({ stretch }) => [stretch, ratio(stretch)])),
      sweeps: Object.fromEntries(sweeps.map((one) => [one.subject, one.tried])),
      lost: rounds.lost,
      duplicated: rounds.duplicated,
    },
    gates: stretches.map(({ stretch, label }) =>
      atLeast(`${label} through the compat door vs BullMQ (times)`, ratio(stretch).median, timesMin),
    ),
    tables: [
      {
        title: `Jobs per second: median of ${count} rounds, ± half the range`,
        columns: ["", ...names, "vs BullMQ", "range"],
        rows: stretches.map(({ stretch, label }) => {
          const { median, min, max } = ratio(stretch);
          const cells = names.map((name) => {
            const { perSecond } = summariseRates(rounds, name, stretch);
            return `${number(perSecond.median)} ${spread(perSecond.spread)}`;
          });
          return [label, ...cells, times(median), `${times(min)} – ${times(max)}`];
        }),
      },
      {
        title: "Processor time per job in µs: Redis / Node",
        columns: ["", ...names],
        rows: stretches.map(({ stretch, label }) => [
          label,
          ...names.map((name) => {
            const { redisUs, nodeUs } = summariseRates(rounds, name, stretch);
            return `${number(redisUs.median)} / ${number(nodeUs.median)}`;
          }),
        ]),
      },
      {
        title: "Concurrencies tried (jobs per second), and the best",
        columns: ["", "concurrency: rate", "best"],
        rows: sweeps.flatMap((one) => sweepRows(one)),
      },
      {
        title: "Loss and duplicates over all measured rounds",
        columns: ["lost", "duplicated"],
        rows: [[String(rounds.lost), String(rounds.duplicated)]],
        notes: ["Counted per job: handler runs, acknowledgements, and finished jobs the store keeps."],
      },
    ],
    charts: [],
    voids: rounds.voids,
  };
}

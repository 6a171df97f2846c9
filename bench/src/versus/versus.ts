/** `versus`: Millrace, BullMQ, bee-queue and the floor, the same jobs on the same Redis, in interleaved rounds. */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { barChart } from "../tool/chart.js";
import { RedisMeter } from "../tool/cpu.js";
import { DelayProxy } from "../tool/delay-proxy.js";
import { number, spread, times } from "../tool/format.js";
import { atLeast, atMost, type Gate } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { type Persistence, persistenceText, startBenchRedis } from "../tool/redis.js";
import type { Chart } from "../tool/result.js";
import type { Summary } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import type { Course, Rate, Stretch } from "./measure.js";
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
import { type SubjectName, subjectNames, subjects } from "./subjects.js";
import { countSweep, type Sweep, sweep, sweepRows } from "./sweep.js";

const callers = 2000;
const payloadBytes = 100;
const courses: readonly Course[] = ["singly", "bulk", "together", "flood"];
const baseLabel = "base";
const ours: SubjectName = "millrace";
const rival: SubjectName = "bullmq";

/** The rows of every table: a stretch and what it is called. */
const stretches: readonly { readonly stretch: Stretch; readonly label: string }[] = [
  { stretch: "enqueue", label: "enqueue, one await each" },
  { stretch: "bulk", label: "bulk enqueue" },
  { stretch: "process", label: "process" },
  { stretch: "together", label: "end to end" },
  { stretch: "flood", label: "end to end, bulk" },
];

/** One way the server may be set up and reached. */
interface Setting {
  readonly label: string;
  readonly persistence: Persistence;
  readonly delayMs: number;
  readonly rounds: number;
}

interface SettingFindings {
  readonly setting: Setting;
  readonly rounds: Rounds;
  readonly sweeps: readonly Sweep[];
  /** Median round trip through the proxy, microseconds. */
  readonly pingUs: number;
}

/** The bench. */
export const versus: Bench = {
  name: "versus",
  sentence:
    "the same jobs through Millrace, BullMQ, bee-queue and plain Redis: rates, processor time, loss, duplicates",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const rounds = options.rounds ?? (options.quick ? 2 : 5);
  const base: Setting = { label: baseLabel, persistence: "none", delayMs: 0, rounds };
  const furtherRounds = Math.min(2, rounds);
  const further: readonly Setting[] = options.quick
    ? []
    : [
        { label: "AOF everysec", persistence: "everysec", delayMs: 0, rounds: furtherRounds },
        { label: "AOF always", persistence: "always", delayMs: 0, rounds: furtherRounds },
        { label: "round trip +1 ms", persistence: "none", delayMs: 1, rounds: furtherRounds },
        { label: "round trip +2 ms", persistence: "none", delayMs: 2, rounds: furtherRounds },
      ];
  const jobs = (name: SubjectName): number => (options.quick ? subjects[name].jobs / 2 : subjects[name].jobs);
  const settings = [base, ...further];
  return {
    settings: {
      rounds: `${rounds}, interleaved, rotating order; ${furtherRounds} for each further setting`,
      jobs: Object.fromEntries(subjectNames.map((name) => [name, jobs(name)])),
      payload: `${payloadBytes} bytes of JSON, handler answers a number`,
      enqueue: `${callers} concurrent callers, each awaits its own enqueue`,
      bulk: `${bulkMax} jobs a call, one call after the other`,
      process: "from starting the Worker to the last acknowledged completion; producer and Worker in one process",
      isolation: "each measurement in a fresh process, warmed up with a quarter of the jobs, Redis emptied before it",
      redis: settings.map((one) => `${one.label}: ${persistenceText(one.persistence)}, +${one.delayMs} ms`),
      subjects: Object.fromEntries(
        subjectNames.map((name) => [name, `settings: ${subjects[name].settings}; keeps: ${subjects[name].keeps}`]),
      ),
      concurrency: "swept before the rounds, best of each course used",
    },
    steps: settings.map((one) => countSetting(one, jobs)).reduce((a, b) => a + b, 0),
    run: async (progress) => {
      const found: SettingFindings[] = [];
      for (const setting of settings) found.push(await runSetting(setting, jobs, progress));
      return findings(found);
    },
  };
}

// ── Measuring ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function runSetting(
  setting: Setting,
  jobs: (name: SubjectName) => number,
  progress: Progress,
): Promise<SettingFindings> {
  await using server = await startBenchRedis(setting.persistence);
  await using proxy = setting.delayMs === 0 ? null : await DelayProxy.start(server.port, setting.delayMs);
  const place: Place = { store: "redis", url: proxy?.url ?? server.url, directUrl: server.url };
  const pingUs = await pingThrough(place.url);
  const sweeps: Sweep[] = [];
  for (const subject of subjectNames) {
    const concurrencies = concurrenciesOf(subject, setting);
    const spec = { subject, place, concurrencies, jobs: jobs(subject) / 2, callers, payloadBytes };
    sweeps.push(await sweep(spec, progress));
  }
  const contestants = subjectNames.map((subject): Contestant => {
    const best = sweeps.find((one) => one.subject === subject);
    return {
      label: subject,
      subject,
      jobs: jobs(subject),
      place: () => place,
      concurrency: (course) => best?.best(course) ?? 1,
    };
  });
  return { setting, sweeps, pingUs, rounds: await runRounds(roundsSpec(contestants, setting), progress) };
}

/** One at a time is shown once, in the base; with a longer round trip more than usual may be best. */
function concurrenciesOf(subject: SubjectName, setting: Setting): readonly number[] {
  const { concurrencies } = subjects[subject];
  if (setting.label === baseLabel || concurrencies.length < 2) return concurrencies;
  const several = concurrencies.filter((concurrency) => concurrency > 1);
  return setting.delayMs > 0 ? [...several, 500] : several;
}

function roundsSpec(contestants: readonly Contestant[], setting: Setting): RoundsSpec {
  return { contestants, courses, rounds: setting.rounds, callers, payloadBytes };
}

function countSetting(setting: Setting, jobs: (name: SubjectName) => number): number {
  const sweeps = subjectNames.map((name) => countSweep(concurrenciesOf(name, setting)));
  const contestants = subjectNames.map(
    (subject): Contestant => ({
      label: subject,
      subject,
      jobs: jobs(subject),
      place: () => ({ store: "memory", url: "memory:" }),
      concurrency: () => 1,
    }),
  );
  return sweeps.reduce((a, b) => a + b, 0) + countMeasurements(roundsSpec(contestants, setting));
}

async function pingThrough(url: string): Promise<number> {
  const meter = new RedisMeter(url);
  try {
    return await meter.pingUs();
  } finally {
    meter.close();
  }
}

// ── Reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

function findings(all: readonly SettingFindings[]): Findings {
  const [base] = all;
  if (base === undefined) throw new Error("versus measured no setting");
  return {
    metrics: Object.fromEntries(all.map((one) => [one.setting.label, settingMetrics(one)])),
    gates: gatesOf(base.rounds),
    tables: [
      ...all.flatMap((one) => [rateTable(one)]),
      costTable(base),
      ratioTable(all),
      sweepTable(all),
      lossTable(all),
    ],
    charts: chartsOf(base),
    voids: all.flatMap((one) => one.rounds.voids.map((reason) => `${one.setting.label}: ${reason}`)),
  };
}

function gatesOf(rounds: Rounds): readonly Gate[] {
  const ratio = (stretch: Stretch): number => ratioOf(rounds, stretch, (rate) => rate.perSecond).median;
  const redis = ratioOf(rounds, "together", (rate) => rate.redisUs ?? Number.NaN).median;
  return [
    atLeast("enqueue, one await each, vs BullMQ (times)", ratio("enqueue"), 6),
    atLeast("bulk enqueue vs BullMQ addBulk (times)", ratio("bulk"), 12),
    atLeast("process vs BullMQ at its best concurrency (times)", ratio("process"), 8),
    atLeast("end to end vs BullMQ at its best concurrency (times)", ratio("together"), 10),
    atMost("Redis CPU per job life vs BullMQ (share)", redis, 0.1),
  ];
}

/** Ours over BullMQ's. */
function ratioOf(rounds: Rounds, stretch: Stretch, figure: (rate: Rate) => number): Summary {
  return ratiosOf(rounds, [ours, rival], stretch, figure);
}

function settingMetrics({ rounds, sweeps, pingUs }: SettingFindings): Record<string, unknown> {
  return {
    pingUs,
    lost: rounds.lost,
    duplicated: rounds.duplicated,
    subjects: roundsMetrics(rounds),
    timesBullmq: Object.fromEntries(
      stretches.map(({ stretch }) => [stretch, ratioOf(rounds, stretch, (rate) => rate.perSecond)]),
    ),
    redisShareOfBullmq: ratioOf(rounds, "together", (rate) => rate.redisUs ?? Number.NaN),
    sweeps: Object.fromEntries(sweeps.filter((one) => one.tried.length > 0).map((one) => [one.subject, one.tried])),
  };
}

function rateTable({ setting, rounds, pingUs }: SettingFindings): Table {
  return {
    title: `Jobs per second, ${setting.label}: median of ${setting.rounds} rounds, ± half the range`,
    columns: ["", ...subjectNames, "vs BullMQ", "range"],
    rows: stretches.map(({ stretch, label }) => {
      const ratio = ratioOf(rounds, stretch, (rate) => rate.perSecond);
      const cells = subjectNames.map((name) => {
        const { perSecond } = summariseRates(rounds, name, stretch);
        return `${number(perSecond.median)} ${spread(perSecond.spread)}`;
      });
      return [label, ...cells, times(ratio.median), `${times(ratio.min)} – ${times(ratio.max)}`];
    }),
    notes: [`Redis: ${persistenceText(setting.persistence)}; median round trip ${number(pingUs)} µs.`],
  };
}

function costTable({ rounds }: SettingFindings): Table {
  return {
    title: "Processor time per job in µs, base: Redis / Node",
    columns: ["", ...subjectNames],
    rows: stretches.map(({ stretch, label }) => [
      label,
      ...subjectNames.map((name) => {
        const { redisUs, nodeUs } = summariseRates(rounds, name, stretch);
        return `${number(redisUs.median)} / ${number(nodeUs.median)}`;
      }),
    ]),
    notes: ["A job's life is the row “end to end”. Results are kept throughout; pruning is not part of a life."],
  };
}

function ratioTable(all: readonly SettingFindings[]): Table {
  return {
    title: "Millrace as a multiple of BullMQ, both at their best in each setting",
    columns: ["", ...stretches.map(({ label }) => label), "Redis CPU"],
    rows: all.map(({ setting, rounds }) => [
      setting.label,
      ...stretches.map(({ stretch }) => times(ratioOf(rounds, stretch, (rate) => rate.perSecond).median)),
      times(ratioOf(rounds, "together", (rate) => rate.redisUs ?? Number.NaN).median),
    ]),
  };
}

function sweepTable(all: readonly SettingFindings[]): Table {
  const rows = all.flatMap(({ setting, sweeps }) => sweeps.flatMap((one) => sweepRows(one, `${setting.label}, `)));
  return {
    title: "Concurrencies tried (jobs per second), and the best",
    columns: ["", "concurrency: rate", "best"],
    rows,
    notes: ["Millrace runs at its default options; the floor has no such choice."],
  };
}

function lossTable(all: readonly SettingFindings[]): Table {
  return {
    title: "Loss and duplicates over all measured rounds",
    columns: ["", "lost", "duplicated"],
    rows: all.map(({ setting, rounds }) => [setting.label, String(rounds.lost), String(rounds.duplicated)]),
    notes: [
      "Counted per job: handler runs, acknowledgements, and finished jobs the store keeps. Either makes a run void.",
    ],
  };
}

function chartsOf({ rounds, setting }: SettingFindings): readonly Chart[] {
  const middle = (name: SubjectName, stretch: Stretch, of: "perSecond" | "redisUs"): number | null => {
    const value = summariseRates(rounds, name, stretch)[of].median;
    return Number.isFinite(value) ? value : null;
  };
  const subtitle = `median of ${setting.rounds} rounds, ${payloadBytes}-byte jobs, results kept, best concurrency each`;
  const draw = (of: "perSecond" | "redisUs", title: string, axis: string): string =>
    barChart({
      title,
      subtitle,
      axis,
      scale: "log",
      series: subjectNames,
      groups: stretches.map(({ stretch, label }) => ({
        label,
        values: subjectNames.map((name) => middle(name, stretch, of)),
      })),
    });
  return [
    { file: "rates.svg", svg: draw("perSecond", "Jobs per second (longer is better)", "jobs per second") },
    { file: "redis-cpu.svg", svg: draw("redisUs", "Redis processor time per job (shorter is better)", "µs per job") },
  ];
}

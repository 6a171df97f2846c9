/**
 * The bench `tune`: what the mix optimiser is worth, and which urgency weights it should ship with.
 *
 * Plays drawn and recorded workloads through the real optimiser in a simulated Foreman (plant.ts) whose costs were
 * measured here (calibrate.ts), beside every fixed mix of as many Workers and an oracle. Settings are chosen on
 * some seeds and judged on others.
 */
import { type Mix, type MixOptions, mixText } from "@millrace/core/internal";
import type { Bench, Findings, Plan } from "../bench.js";
import { lineChart } from "../tool/chart.js";
import { number } from "../tool/format.js";
import { atLeast, atMost, type Gate } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import type { Chart } from "../tool/result.js";
import type { Table } from "../tool/table.js";
import { type Calibration, calibrate } from "./calibrate.js";
import {
  CONCURRENT_MAX,
  type Figures,
  type OptimiserRun,
  type OracleRun,
  runFixed,
  runOptimiser,
  runOracle,
  START,
  slotsMax,
  WORKERS,
} from "./measure.js";
import { ON_TIME_MS, type PlantSettings } from "./plant.js";
import { loadRecorded } from "./recorded.js";
import { draw, scenarios } from "./scenarios.js";
import {
  choose,
  isAllowed,
  PUBLISHED,
  paretoFront,
  refine,
  singles,
  type Trial,
  tryOptions,
  urgencyGrid,
} from "./settings-search.js";
import type { Trace } from "./trace.js";

const TRAINING_SEEDS = [1, 4];
const JUDGING_SEEDS = [2, 3];
const SLOTS = [2, 4, 8, 16, 32, 64];
const QUICK = ["steady", "burst", "alternating", "tight", "heavy tail"];
const PICK_AGAIN_MS = 30_000;
/** How far the shipped settings may stay behind what this very run would choose: seeds and machines differ. */
const CHOICE_SLACK = 0.01;

/** One scenario on one seed, by everybody. */
interface Contest {
  readonly trace: Trace;
  readonly seed: number;
  readonly shipped: OptimiserRun;
  readonly oracle: OracleRun;
  readonly fixed: readonly { readonly mix: Mix; readonly figures: Figures }[];
}

/** `npm run bench -- tune`. */
export const tune: Bench = {
  name: "tune",
  sentence: "what the mix optimiser is worth beside fixed mixes and an oracle, and which weights it should ship with",
  stores: [],
  plan: ({ quick }) => plan(quick),
};

function plan(isQuick: boolean): Plan {
  const played = scenarios.filter(({ name }) => !isQuick || QUICK.includes(name));
  const seeds = isQuick ? JUDGING_SEEDS.slice(0, 1) : JUDGING_SEEDS;
  const recorded = isQuick ? null : loadRecorded(WORKERS);
  const contests = played.length * seeds.length + (recorded === null ? 0 : 1);
  const trials = isQuick ? 0 : 1 + urgencyGrid().length + refine({}).length + 2 + singles().length;
  return {
    settings: {
      workers: `${WORKERS}, beginning with ${mixText(START)}, at most ${CONCURRENT_MAX} at once`,
      seeds: { training: isQuick ? "none" : TRAINING_SEEDS, judging: seeds },
      scenarios: played.map(({ name, sentence }) => `${name} (${sentence})`),
      recorded: recorded?.sentence ?? "not in quick mode",
      fixedMixes: mixes(isQuick).map(mixText),
      picking: `a Worker asked to change its kind is let go on after ${PICK_AGAIN_MS / 1_000} s, another one is picked`,
    },
    steps: contests + trials,
    run: (progress) => run({ isQuick, seeds, recorded: recorded?.trace ?? null, played }, progress),
  };
}

interface Order {
  readonly isQuick: boolean;
  readonly seeds: readonly number[];
  readonly recorded: Trace | null;
  readonly played: typeof scenarios;
}

async function run(order: Order, progress: Progress): Promise<Findings> {
  progress.doing("calibrate");
  const calibration = await calibrate();
  const settings: PlantSettings = {
    dispatchMs: calibration.operationMs + calibration.roundTripMs,
    startMs: calibration.threadStartMs,
    pickAgainMs: PICK_AGAIN_MS,
  };
  const traces = [
    ...order.played.flatMap((scenario) => order.seeds.map((seed) => ({ trace: draw(scenario, seed), seed }))),
    ...(order.recorded === null ? [] : [{ trace: order.recorded, seed: 0 }]),
  ];
  const contests = traces.map(({ trace, seed }) => {
    progress.doing(`${trace.name}, seed ${seed}`);
    const contest = contend(trace, seed, settings, order.isQuick);
    progress.step();
    return contest;
  });
  const search = order.isQuick ? null : searchSettings(order, settings, progress);
  return report(contests, calibration, search);
}

function contend(trace: Trace, seed: number, settings: PlantSettings, isQuick: boolean): Contest {
  return {
    trace,
    seed,
    shipped: runOptimiser(trace, settings, {}),
    oracle: runOracle(trace, settings),
    fixed: mixes(isQuick).map((mix) => ({ mix, figures: runFixed(trace, settings, mix) })),
  };
}

/** Every fixed mix of as many Workers; slots in steps of two, cut at the cap. */
function mixes(isQuick: boolean): readonly Mix[] {
  const kinds = Array.from({ length: WORKERS - 1 }, (_, i) => i + 1);
  return kinds.flatMap((blocking) => {
    const slots = isQuick ? [slotsMax(blocking)] : SLOTS.map((count) => Math.min(count, slotsMax(blocking)));
    return [...new Set(slots)].map((count) => ({ blocking, async: WORKERS - blocking, slots: count }));
  });
}

interface Search {
  readonly published: Trial;
  readonly shipped: Trial;
  readonly chosen: Trial;
  readonly tried: readonly Trial[];
  readonly others: readonly Trial[];
}

function searchSettings(order: Order, settings: PlantSettings, progress: Progress): Search {
  const tracesOf = (seeds: readonly number[]) =>
    order.played.flatMap((scenario) => seeds.map((seed) => draw(scenario, seed)));
  const all = tracesOf(TRAINING_SEEDS);
  const attempt = (options: MixOptions, traces: readonly Trace[] = all): Trial => {
    const trial = tryOptions(options, traces, settings);
    progress.step();
    return trial;
  };
  const few = tracesOf(TRAINING_SEEDS.slice(0, 1));
  progress.doing("settings");
  const published = attempt(PUBLISHED);
  const grid = urgencyGrid().map((options) => attempt(options));
  const fine = refine(choose([published, ...grid], published).options).map((options) => attempt(options));
  const shipped = attempt({});
  const tried = [published, ...grid, ...fine];
  const others = [{}, ...singles()].map((options) => attempt(options, few));
  return { published, shipped, tried, chosen: choose(tried, published), others };
}

function report(contests: readonly Contest[], calibration: Calibration, search: Search | null): Findings {
  const fixed = fixedScores(contests);
  const shipped = scoreOf(contests, (contest) => contest.shipped);
  const best = fixed[0];
  const tables = [
    calibrationTable(calibration),
    scenarioTable(contests, best?.mix ?? START),
    fixedTable(fixed, shipped),
    ...(search === null ? [] : [settingsTable(search), othersTable(search)]),
  ];
  return {
    metrics: {
      calibration,
      scenarios: contests.map(({ trace, seed, shipped: run, oracle }) => ({
        name: trace.name,
        seed,
        operations: trace.count,
        shipped: plain(run),
        oracle: { ...plain(oracle), blocking: oracle.blocking },
      })),
      shipped,
      fixed,
      settings: search,
    },
    gates: gatesOf(contests, shipped, best, search),
    tables,
    charts: [courseChart(contests), ...(search === null ? [] : [settingsChart(search)])].filter(
      (chart) => chart !== null,
    ),
    voids: [],
  };
}

/** Figures without the course of the run: what a result file should hold. */
function plain({ perSecond, served, onTime, ageS, sojournS, ages, changes, reverts }: Figures): Figures {
  return { perSecond, served, onTime, ageS, sojournS, ages, changes, reverts };
}

/** One competitor over all contests. */
interface Score {
  /** Mean over the contests of its served share over the oracle's. */
  readonly throughput: number;
  /** The worst of them. */
  readonly worst: number;
  readonly onTime: number;
  /** Geometric mean of the p99 ages, at least a second each. */
  readonly ageS: number;
}

interface FixedScore extends Score {
  readonly mix: Mix;
}

function scoreOf(contests: readonly Contest[], of: (contest: Contest) => Figures): Score {
  const ratios = contests.map((contest) => of(contest).served / contest.oracle.served);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    throughput: mean(ratios),
    worst: Math.min(...ratios),
    onTime: mean(contests.map((contest) => of(contest).onTime)),
    ageS: Math.exp(mean(contests.map((contest) => Math.log(Math.max(1, of(contest).ageS))))),
  };
}

/** Best first; as good in throughput within a thousandth, the lower age first. */
function fixedScores(contests: readonly Contest[]): readonly FixedScore[] {
  const all = (contests[0]?.fixed ?? []).map(({ mix }, at) => ({
    mix,
    ...scoreOf(contests, (contest) => contest.fixed[at]?.figures ?? contest.shipped),
  }));
  return all.sort((a, b) =>
    Math.abs(a.throughput - b.throughput) > 1e-3 ? b.throughput - a.throughput : a.ageS - b.ageS,
  );
}

function gatesOf(
  contests: readonly Contest[],
  shipped: Score,
  best: FixedScore | undefined,
  search: Search | null,
): Gate[] {
  const names = [...new Set(contests.map(({ trace }) => trace.name))];
  const perScenario = names.map((name) => {
    const own = contests.filter(({ trace }) => trace.name === name);
    const share = Math.min(...own.map(({ shipped: run, oracle }) => run.served / oracle.served));
    const rate = Math.min(...own.map(({ shipped: run, oracle }) => run.perSecond / oracle.perSecond));
    return atLeast(
      `${name}: throughput over the oracle's (the lower of served share and Operations/s)`,
      Math.min(share, rate),
      0.95,
    );
  });
  const gates = [...perScenario];
  if (best !== undefined) {
    gates.push(
      atLeast(
        "mean throughput over the oracle's, less that of the best fixed mix",
        shipped.throughput - best.throughput,
        0,
      ),
      atLeast("mean share on time, less that of the best fixed mix", shipped.onTime - best.onTime, 0),
      atMost("p99 age over that of the best fixed mix", shipped.ageS / best.ageS, 1),
    );
  }
  const steady = contests.filter(({ trace }) => trace.name === "steady").map(({ shipped: run }) => mostChanges(run));
  if (steady.length > 0) gates.push(atMost("steady: changes in any 10 minutes", Math.max(...steady), 1));
  if (search !== null) {
    const behind = search.chosen.onTime - search.shipped.onTime;
    gates.push(
      atMost("share on time the chosen settings have over the shipped ones", behind, CHOICE_SLACK),
      atLeast(
        "the shipped settings are allowed by the rule (1: yes)",
        isAllowed(search.shipped, search.published) ? 1 : 0,
        1,
      ),
    );
  }
  return gates;
}

/** The most changes that were begun within ten minutes. */
function mostChanges({ told }: OptimiserRun): number {
  const begun = told.filter(({ event }) => event !== "reverted").map(({ atS }) => atS);
  return Math.max(0, ...begun.map((from) => begun.filter((atS) => atS >= from && atS < from + 600).length));
}

function calibrationTable(calibration: Calibration): Table {
  return {
    title: "Measured here for the simulation",
    columns: ["figure", "value"],
    rows: [
      ["an Operation beside its work, `memory:` (ms on a core)", number(calibration.operationMs)],
      ["a record to a Worker thread and back, through rings (ms)", number(calibration.roundTripMs)],
      ["a thread's start (ms)", number(calibration.threadStartMs)],
      ["a spin of 5 ms on a core, in wall time (×)", number(calibration.spinRatio)],
    ],
    notes: [
      "The first two are added to each Operation's computing, the third to each change of a Worker's kind. The last is a check: near 1, or others disturbed the measurement.",
    ],
  };
}

function scenarioTable(contests: readonly Contest[], bestFixed: Mix): Table {
  const row = (contest: Contest): string[] => {
    const { trace, seed, shipped, oracle, fixed } = contest;
    const own = fixed.reduce(
      (a, b) => (b.figures.served > a.figures.served ? b : a),
      fixed[0] ?? { mix: START, figures: shipped },
    );
    const overall =
      fixed.find(({ mix }) => mix === bestFixed || mixText(mix) === mixText(bestFixed))?.figures ?? shipped;
    return [
      trace.name,
      String(seed),
      number(trace.count),
      share(shipped.served / oracle.served),
      share(overall.served / oracle.served),
      share(own.figures.served / oracle.served),
      share(shipped.onTime),
      share(oracle.onTime),
      share(overall.onTime),
      `${number(shipped.ages.blocking)} / ${number(shipped.ages.async)}`,
      `${number(oracle.ages.blocking)} / ${number(oracle.ages.async)}`,
      `${number(overall.ages.blocking)} / ${number(overall.ages.async)}`,
      String(shipped.changes),
      String(shipped.reverts),
    ];
  };
  return {
    title: "Each scenario: the shipped optimiser, an oracle, fixed mixes",
    columns: [
      "scenario",
      "seed",
      "Operations",
      "served: optimiser",
      `fixed ${mixText(bestFixed)}`,
      "best fixed for it",
      `on time: optimiser`,
      "oracle",
      `fixed ${mixText(bestFixed)}`,
      "p99 age, s: optimiser",
      "oracle",
      `fixed ${mixText(bestFixed)}`,
      "changes",
      "reverts",
    ],
    rows: contests.map(row),
    notes: [
      "Served: Operations completed by the end over those that arrived, mean of both kinds, over the oracle's. A backlog that is gone by the end does not show in it: that shows in the share on time and the ages.",
      `On time: started within ${ON_TIME_MS / 1_000} s of arrival, mean of both kinds. Ages: blocking / async, what never started included.`,
      "The oracle knows each phase beforehand and switches at once, without losing a Worker; found phase by phase, so it is the best found, not proved.",
      "“Best fixed for it” is another mix in each scenario: nobody can configure it.",
    ],
  };
}

function fixedTable(fixed: readonly FixedScore[], shipped: Score): Table {
  const row = (name: string, score: Score): string[] => [
    name,
    share(score.throughput),
    share(score.worst),
    share(score.onTime),
    number(score.ageS),
  ];
  return {
    title: "All fixed mixes of six Workers",
    columns: ["mix", "mean served / oracle", "worst", "on time", "p99 age, s"],
    rows: [row("optimiser, shipped settings", shipped), ...fixed.map((one) => row(mixText(one.mix), one))],
    notes: [
      "Means over the scenarios and seeds above; ages are geometric means of the worse kind's, at least 1 s each.",
    ],
  };
}

function settingsTable({ published, shipped, chosen, tried }: Search): Table {
  const front = new Set(paretoFront(tried));
  const mark = (trial: Trial): string =>
    [
      trial === published ? "published" : "",
      trial === chosen ? "chosen" : "",
      front.has(trial) ? "front" : "",
      isAllowed(trial, published) ? "" : "not allowed",
    ]
      .filter((text) => text !== "")
      .join(", ");
  const seen = new Set<string>();
  const shown = [...tried].filter(({ name }) => !seen.has(name) && seen.add(name));
  return {
    title: `Urgency weights, seeds ${TRAINING_SEEDS.join(" and ")}`,
    columns: [
      "pressure, growth, max age",
      "served",
      "on time",
      "p99 age, s",
      "changes / 10 min",
      "steady",
      "reverts",
      "",
    ],
    rows: [
      [`shipped: ${weights(shipped)}`, ...trialCells(shipped), ""],
      ...shown.sort((a, b) => b.onTime - a.onTime).map((trial) => [weights(trial), ...trialCells(trial), mark(trial)]),
    ],
    notes: [
      "Rule: highest share on time among those that serve as much as the published weights, with at most a quarter more changes and none under the steady load; within a quarter of a point, the fewest changes; within 0.15 of them, the one nearest to the published weights.",
      "Front: no other is better in one of share on time, age and changes without being worse in another.",
    ],
  };
}

function othersTable({ others }: Search): Table {
  return {
    title: `Other options beside the shipped ones, one at a time, seed ${TRAINING_SEEDS[0]}`,
    columns: ["option", "served", "on time", "p99 age, s", "changes / 10 min", "steady", "reverts"],
    rows: others.map((trial) => [trial.name, ...trialCells(trial)]),
    notes: ["Shown, not chosen: these are published behaviour."],
  };
}

function weights({ options }: Trial): string {
  const of = (name: keyof typeof options) => String(options[name] ?? "");
  if (options.urgencyPressure === undefined) return "the defaults of this build";
  return `${of("urgencyPressure")}, ${of("urgencyGrowth")}, ${Number(options.urgencyMaxAge) / 1_000} s`;
}

function trialCells({ served, onTime, ageS, changes, steadyChanges, reverts }: Trial): string[] {
  return [
    (100 * served).toFixed(2),
    (100 * onTime).toFixed(1),
    ageS.toFixed(1),
    changes.toFixed(1),
    String(steadyChanges),
    String(reverts),
  ];
}

/** Blocking Workers over time where the load alternates: the optimiser beside the oracle. */
function courseChart(contests: readonly Contest[]): Chart | null {
  const contest = contests.find(({ trace }) => trace.name === "alternating");
  if (contest === undefined) return null;
  const { trace, shipped, oracle } = contest;
  const every = 10;
  const own = shipped.course
    .filter((_, at) => at % every === 0)
    .map(({ blocking }, at) => ({ x: at * every, y: blocking }));
  const phaseAt = (s: number) => trace.phasesMs.filter((fromMs) => fromMs <= s * 1_000).length - 1;
  const best = own.map(({ x }) => ({ x, y: oracle.blocking[phaseAt(x)] ?? 0 }));
  const waiting = shipped.course
    .filter((_, at) => at % every === 0)
    .map(({ backlog }, at) => ({ x: at * every, y: (backlog.blocking + backlog.async) / 100 }));
  return {
    file: "alternating.svg",
    svg: lineChart({
      title: "Five minutes of CPU work, five of I/O: who is a blocking Worker",
      subtitle: `Six Workers, seed ${contest.seed}; simulated from costs measured on this machine`,
      xAxis: "seconds",
      yAxis: "blocking Workers; Operations waiting, in hundreds",
      xScale: "linear",
      yScale: "linear",
      xTicks: [0, 300, 600, 900, 1_200].map((x) => ({ x, label: String(x) })),
      lines: [
        { label: "optimiser", points: own },
        { label: "oracle", points: best },
        { label: "waiting (hundreds)", points: waiting },
      ],
    }),
  };
}

/** Changes against age: what each setting buys with its restlessness. */
function settingsChart({ tried, published, chosen, shipped }: Search): Chart {
  const point = (trial: Trial) => ({ x: trial.changes, y: trial.ageS });
  const front = [...paretoFront(tried)].sort((a, b) => a.changes - b.changes).map(point);
  const all = tried.map(({ changes }) => changes);
  const ticks = Array.from({ length: 40 }, (_, at) => at / 4).filter(
    (x) => x >= Math.min(...all) && x <= Math.max(...all),
  );
  return {
    file: "settings.svg",
    svg: lineChart({
      title: "Urgency weights: age against changes of the mix",
      subtitle: `${tried.length} settings, seeds ${TRAINING_SEEDS.join(" and ")}; the line joins those that no other beats in age, share on time and changes`,
      xAxis: "changes of the mix in ten minutes, mean over the scenarios",
      yAxis: "p99 age in s, geometric mean over the scenarios",
      xScale: "linear",
      yScale: "linear",
      xTicks: ticks.map((x) => ({ x, label: String(x) })),
      lines: [
        { label: "front", points: front },
        { label: "published", points: [point(published)] },
        { label: "chosen", points: [point(chosen)] },
        { label: "shipped", points: [point(shipped)] },
      ],
    }),
  };
}

function share(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

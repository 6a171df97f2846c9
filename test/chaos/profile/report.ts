/**
 * What a play tells: integrity, recovery, service, resources, and what was sometimes seen. The same for people and for
 * machines.
 */
import type { RunVerdict } from "../../checker/invariants.js";
import { INVARIANTS, type Violation } from "../../checker/violation.js";
import { againMostMs, type HarmReport } from "./nemesis.js";
import type { PlayPlan } from "./profile.js";
import type { Sample } from "./sampler.js";
import { mustSee, sometimesIn } from "./sometimes.js";
import type { Workload } from "./workload.js";

/** Median, 99th and 99.9th percentile and worst of some times. Milliseconds. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What a play told. */
export interface PlayReport {
  readonly plan: PlayPlan;
  readonly seconds: number;
  readonly integrity: {
    readonly asked: number;
    readonly acknowledged: number;
    /** Told that there is no room: they did not happen. */
    readonly refused: number;
    readonly unknown: number;
    readonly completed: number;
    readonly failed: number;
    readonly cancelled: number;
    /** Rescues of all Operations together. */
    readonly recovered: number;
    /** Starts beyond the first of each Attempt, and those of them that began while the one before still ran. */
    readonly startedAgain: number;
    readonly concurrent: number;
    readonly staleRefused: number;
    /** Acknowledged and gone in a window that may be lost, and how long before the fault the first of them was. */
    readonly lostInWindow: number;
    readonly lostSpanMs: number;
    /** What a rollback undid, by the invariant that it would have been a violation of elsewhere. */
    readonly forgotten: number;
    readonly forgottenBy: Readonly<Record<string, number>>;
    readonly zombies: number;
    /** By invariant, those that were kept with 0. */
    readonly violations: Readonly<Record<string, number>>;
  };
  readonly recovery: {
    /** From the end of a fault of the store until every Foreman works. */
    readonly again: Spread;
    /** From the end of a fault of the store until anything was completed. */
    readonly firstAgain: Spread;
    readonly againByHarm: Readonly<Record<string, Spread>>;
    /** From the kill of a Foreman until what it had begun is begun again. */
    readonly resumed: Spread;
    /** How long a fault of the store took, itself included. */
    readonly gapByHarm: Readonly<Record<string, Spread>>;
    readonly drainMs: number;
    readonly stopMs: number;
    /** Foremen that died, and starts of Foremen that ended with an error. */
    readonly kills: number;
    readonly failedStarts: number;
  };
  readonly service: {
    /** Ended work a second: before the first fault, with faults, after the last. */
    readonly calmRate: number;
    readonly harmRate: number;
    readonly healedRate: number;
    /** What was completed under faults, and after the last, against what was before: 1 is as much. */
    readonly harmShare: number;
    readonly healedShare: number;
    readonly enqueue: Spread;
    readonly whole: Spread;
    /** How late delayed work began. */
    readonly late: Spread;
    readonly errors: Readonly<Record<string, number>>;
  };
  readonly resources: {
    readonly rssMb: readonly [number, number];
    readonly descriptors: readonly [number, number];
    readonly threads: readonly [number, number];
    readonly usedMb: readonly [number, number];
    readonly keys: readonly [number, number];
    /** How the store's memory grew: MB an hour, and within which bounds that lies by 95 %. */
    readonly usedMbPerHour: readonly [low: number, slope: number, high: number];
    /** Processes of Foremen that were still there when all had been told to go. */
    readonly survivors: number;
    readonly callUs: number;
    readonly lagMaxMs: number;
  };
  readonly faults: Readonly<Record<string, { readonly injected: number; readonly bitten: number }>>;
  readonly sometimes: Readonly<Record<string, number>>;
  /** Entries of the list that this play could have shown, and did not. */
  readonly unseen: readonly string[];
  readonly violations: readonly Violation[];
  /** What else the play did not keep to, in words. */
  readonly breaches: readonly string[];
}

/** When a play came to what. Milliseconds. */
export interface Marks {
  calmMs: number;
  harmMs: number;
  healedMs: number;
  stoppedMs: number;
  drainedMs: number;
}

/** What a report is made of. */
export interface ReportParts {
  readonly plan: PlayPlan;
  readonly verdict: RunVerdict;
  readonly harms: readonly HarmReport[];
  readonly kills: number;
  readonly failedStarts: number;
  readonly workload: Workload | null;
  readonly glimpses: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
  readonly marks: Marks;
  readonly hasSettled: boolean;
  readonly stopMs: number;
  readonly survivors: number;
  /** Acts of the play that broke off, and why. */
  readonly failures: readonly string[];
}

const violationsKept = 200;
const violationsShown = 8;

/** Makes a report. */
export function reportOf(parts: ReportParts): PlayReport {
  const { plan, verdict, harms, workload, glimpses, samples, marks, hasSettled, stopMs } = parts;
  const lives = [...verdict.lives.byId.values()];
  const states = countBy(lives.flatMap(({ end }) => (end === null ? [] : [end.state])));
  const acknowledged = lives.filter(({ enqueues }) => enqueues.length > 0).length;
  const ofStore = harms.filter(({ againMs }) => againMs !== null);
  const late = ofStore.filter(({ againMs }) => (againMs ?? 0) > againMostMs);
  const sometimes = { ...sometimesIn(verdict), ...glimpses };
  const [calmRate, harmRate, healedRate] = [
    rateIn(verdict, marks.calmMs, marks.harmMs),
    rateIn(verdict, marks.harmMs, marks.healedMs),
    rateIn(verdict, marks.healedMs, marks.stoppedMs),
  ];
  const harmed = new Set(harms.map(({ harm }) => harm));
  return {
    plan,
    seconds: round((marks.drainedMs - marks.calmMs) / 1_000),
    integrity: {
      asked: verdict.lives.asks.size,
      acknowledged,
      refused: verdict.lives.refusals.size,
      unknown: verdict.lives.asks.size - acknowledged - verdict.lives.refusals.size - (sometimes["dedupe hit"] ?? 0),
      completed: states.completed ?? 0,
      failed: states.failed ?? 0,
      cancelled: states.cancelled ?? 0,
      recovered: lives.reduce((sum, { end }) => sum + (end?.recoveries ?? 0), 0),
      concurrent: verdict.concurrent,
      startedAgain: lives.reduce((sum, { effects }) => sum + againIn(effects.map(({ start }) => start.attempt)), 0),
      staleRefused: sometimes["stale outcome refused"] ?? 0,
      lostInWindow: verdict.lost.count,
      lostSpanMs: round(verdict.lost.spanMs),
      forgotten: verdict.forgotten.length,
      forgottenBy: countBy(verdict.forgotten.map(({ invariant }) => invariant)),
      zombies: verdict.zombies,
      violations: {
        ...Object.fromEntries(Object.keys(INVARIANTS).map((name) => [name, 0])),
        ...countBy(verdict.violations.map(({ invariant }) => invariant)),
      },
    },
    recovery: {
      again: spread(ofStore.map(({ againMs }) => againMs ?? 0)),
      firstAgain: spread(ofStore.flatMap(({ untilMs }) => firstDoneAfter(verdict, untilMs))),
      againByHarm: byHarm(ofStore, ({ againMs }) => againMs ?? 0),
      resumed: spread(resumedIn(verdict)),
      gapByHarm: byHarm(ofStore, ({ fromMs, untilMs }) => untilMs - fromMs),
      drainMs: round(marks.drainedMs - marks.stoppedMs),
      stopMs: round(stopMs),
      kills: parts.kills,
      failedStarts: parts.failedStarts,
    },
    service: {
      calmRate,
      harmRate,
      healedRate,
      harmShare: shareOf(harmRate, calmRate),
      healedShare: shareOf(healedRate, calmRate),
      enqueue: spread(workload?.enqueueMs ?? []),
      whole: spread(workload?.wholeMs ?? []),
      late: spread(lateIn(verdict)),
      errors: Object.fromEntries(workload?.errors ?? []),
    },
    resources: {
      rssMb: range(samples, ({ rssMb }) => rssMb),
      descriptors: range(samples, ({ descriptors }) => descriptors),
      threads: range(samples, ({ threads }) => threads),
      usedMb: range(samples, ({ usedMb }) => usedMb),
      keys: range(samples, ({ keys }) => keys),
      usedMbPerHour: slopeOf(samples.map(({ atMs, usedMb }) => [atMs / 3_600_000, usedMb])),
      survivors: parts.survivors,
      callUs: round(samples.at(-1)?.callUs ?? 0),
      lagMaxMs: round(Math.max(0, ...samples.map(({ lagMs }) => lagMs))),
    },
    faults: Object.fromEntries(
      [...harmed].map((name) => {
        const same = harms.filter(({ harm }) => harm === name);
        return [name, { injected: same.length, bitten: same.filter(({ hasBitten }) => hasBitten).length }];
      }),
    ),
    sometimes,
    unseen: mustSee(plan).filter((what) => (sometimes[what] ?? 0) === 0),
    violations: verdict.violations.slice(0, violationsKept),
    breaches: [
      ...parts.failures.map((says) => `the play broke off, ${says}`),
      ...late.map(({ harm, againMs = 0 }) =>
        againMs === Number.POSITIVE_INFINITY
          ? `L3: a Foreman was deaf after "${harm}": it began nothing for as long as was waited`
          : `L3: not every Foreman worked within ${againMostMs} ms after "${harm}": ${round(againMs ?? 0)}`,
      ),
      ...(parts.survivors === 0 ? [] : [`L4: ${parts.survivors} processes of Foremen survived their end`]),
      ...(hasSettled ? [] : ["L1: not all that was sent came to its end in time"]),
      ...[...harmed].flatMap((name) =>
        harms.some(({ harm, hasBitten }) => harm === name && hasBitten) ? [] : [`"${name}" was felt by nobody`],
      ),
    ],
  };
}

/** Whether a play kept every promise. */
export function isKept({ violations, breaches }: PlayReport): boolean {
  return violations.length + breaches.length === 0;
}

/** What none of these plays has seen, though one could have: all of them together are one run, and it is void then. */
export function neverSeen(reports: readonly PlayReport[]): readonly string[] {
  const missed = new Set(reports.flatMap(({ unseen }) => unseen));
  return [...missed].filter((what) => !reports.some(({ sometimes }) => (sometimes[what] ?? 0) > 0));
}

/** A report in words, some lines. */
export function wordsOf(report: PlayReport): string {
  const { plan, seconds, integrity, recovery, service, resources, faults, sometimes, unseen } = report;
  const verdict = isKept(report) ? "kept" : "BROKEN";
  const { violations: all, forgottenBy, ...counts } = integrity;
  const violations = Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
  const lines = [
    `${plan.place}: ${verdict} in ${seconds} s (seed ${plan.seed}, ${plan.foremen} Foremen, Lease ${plan.leaseMs} ms)`,
    `  integrity   ${flat(counts)}${integrity.forgotten === 0 ? "" : ` (${flat(forgottenBy)})`}${Object.keys(violations).length === 0 ? " · no violation" : ` · VIOLATIONS ${flat(violations)}`}`,
    `  recovery    works again ${told(recovery.again)} · first ended ${told(recovery.firstAgain)} · resumed after a kill ${told(recovery.resumed)} · drained in ${recovery.drainMs} ms · stopped in ${recovery.stopMs} ms · Foremen died ${recovery.kills}, failed to start ${recovery.failedStarts}`,
    ...Object.entries(recovery.againByHarm).map(
      ([name, again]) =>
        `              ${name}: ${again.count}×, away ${told(recovery.gapByHarm[name] ?? again)}, works again ${told(again)}`,
    ),
    `  service     ${service.calmRate}/s calm, ${service.harmRate}/s harmed, ${service.healedRate}/s healed (${service.harmShare} and ${service.healedShare} of calm) · enqueue ${told(service.enqueue)} · whole ${told(service.whole)} · late ${told(service.late)}${Object.keys(service.errors).length === 0 ? "" : ` · errors ${flat(service.errors)}`}`,
    `  resources   ${Object.entries(resources)
      .map(([name, value]) => `${name} ${typeof value === "number" ? value : value.join("–")}`)
      .join(" · ")}`,
    `  faults      ${Object.entries(faults)
      .map(([name, { injected, bitten }]) => `${name} ${bitten}/${injected}`)
      .join(" · ")}`,
    `  sometimes   ${flat(sometimes)}`,
    ...unseen.map((what) => `  not seen here: ${what}`),
    ...report.breaches.map((says) => `  ${says}`),
    ...report.violations.slice(0, violationsShown).map(({ invariant, id, says }) => `  ${invariant}: ${id} ${says}`),
  ];
  return lines.join("\n");
}

/** From each kill, when what its process had begun and not ended was begun again. */
function resumedIn({ lives }: RunVerdict): number[] {
  const times: number[] = [];
  for (const { effects } of lives.byId.values()) {
    for (const { start, done } of effects) {
      if (done !== null) continue;
      const kill = lives.faultsOf.get(start.owner)?.find(({ fault, atMs }) => fault === "kill" && atMs >= start.atMs);
      const next = effects.find((other) => other.start.token > start.token);
      if (kill !== undefined && next !== undefined) times.push(Math.max(0, next.start.atMs - kill.atMs));
    }
  }
  return times;
}

/** From a moment on until anything was completed, in milliseconds; nothing if nothing was. */
function firstDoneAfter({ lives }: RunVerdict, sinceMs: number): number[] {
  let first = Number.POSITIVE_INFINITY;
  for (const { outcomes } of lives.byId.values()) {
    for (const { transition, answer, atMs = 0 } of outcomes)
      if (transition === "complete" && answer === "ok" && atMs >= sinceMs) first = Math.min(first, atMs - sinceMs);
  }
  return Number.isFinite(first) ? [first] : [];
}

/** How late what was delayed began, at first. */
function lateIn({ lives }: RunVerdict): number[] {
  return [...lives.byId.values()].flatMap(({ enqueues, effects }) => {
    const [ack] = enqueues as { atMs: number; delayMs?: number }[]; // a journal's enqueues have both
    const [first] = effects;
    return ack?.delayMs === undefined || first === undefined
      ? []
      : [Math.max(0, first.start.atMs - ack.atMs - ack.delayMs)];
  });
}

/** Ended work a second, between two moments. */
function rateIn({ lives }: RunVerdict, fromMs: number, untilMs: number): number {
  let ended = 0;
  for (const { effects } of lives.byId.values())
    for (const { done } of effects) if (done?.how === "returned" && done.atMs >= fromMs && done.atMs < untilMs) ended++;
  return untilMs <= fromMs ? 0 : round((ended * 1_000) / (untilMs - fromMs));
}

function shareOf(rate: number, calmRate: number): number {
  return calmRate === 0 ? 0 : Math.round((rate * 100) / calmRate) / 100;
}

/** The slope of a line through some points, between the bounds of its 95 % confidence. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): readonly [number, number, number] {
  const n = points.length;
  if (n < 3) return [0, 0, 0];
  const [meanX, meanY] = [points.reduce((sum, [x]) => sum + x, 0) / n, points.reduce((sum, [, y]) => sum + y, 0) / n];
  let [xx, xy] = [0, 0];
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
  }
  if (xx === 0) return [0, 0, 0];
  const slope = xy / xx;
  const rest = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  const error = 1.96 * Math.sqrt(rest / (n - 2) / xx);
  return [round(slope - error), round(slope), round(slope + error)];
}

/** Starts beyond the first of each Attempt. */
function againIn(attempts: readonly number[]): number {
  return attempts.length - new Set(attempts).size;
}

function byHarm(harms: readonly HarmReport[], read: (harm: HarmReport) => number): Record<string, Spread> {
  const names = [...new Set(harms.map(({ harm }) => harm))];
  return Object.fromEntries(names.map((name) => [name, spread(harms.filter(({ harm }) => harm === name).map(read))]));
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

function told({ count, p50, p99, max }: Spread): string {
  return count === 0 ? "–" : `p50 ${p50} p99 ${p99} max ${max} ms`;
}

function range(samples: readonly Sample[], read: (sample: Sample) => number): readonly [number, number] {
  const values = samples.map(read);
  return values.length === 0 ? [0, 0] : [round(Math.min(...values)), round(Math.max(...values))];
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function flat(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, value]) => `${name} ${value}`)
    .join(" · ");
}

function round(value: number): number {
  return Math.abs(value) >= 10 ? Math.round(value) : Math.round(value * 10) / 10;
}

/**
 * One play of a profile: a place, its Foremen, a client, what harms them, and in the end the verdict.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "@millrace/core";
import type { Store } from "@millrace/core/internal";
import type { FinalEvent } from "../../checker/foremen.js";
import { judgeRun } from "../../checker/invariants.js";
import type { RunBounds, RunEvent } from "../../checker/run-history.js";
import { openStore } from "../../helper/open-store.js";
import { within } from "../../helper/wait.js";
import { Dice } from "../../sim/dice.js";
import { distFile } from "../foremen/foreman-process.js";
import { Journal, journalOf, sharedMs } from "../foremen/journal.js";
import { Crew } from "./crew.js";
import type { DoomedOptions } from "./doomed-client.js";
import { declareErrands, errandBounds } from "./errands.js";
import { Nemesis } from "./nemesis.js";
import { type Place, segmentOfClients, startPlace } from "./place.js";
import type { PlayPlan } from "./profile.js";
import { type Marks, type PlayReport, type ReportParts, reportOf } from "./report.js";
import { Sampler } from "./sampler.js";
import { drainedFile, drainFile } from "./signs.js";
import { Workload } from "./workload.js";

const appName = "chaos";
const findMax = 500;
/** Set to anything, the folder of a run stays: its log is what a violation is understood by. */
const keepVariable = "MILLRACE_CHAOS_KEEP";
/** How long one look at the store may take, which answers by now. */
const lookMs = 60_000;
/** A busy machine's share of what is not a Lease: scheduling, and messages to Workers. */
const marginMs = 500;

/** Plays a plan. `progress`: told how far it is, in words. */
export async function play(plan: PlayPlan, progress: (says: string) => void): Promise<PlayReport> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-profile-"));
  const journal = new Journal<RunEvent>(journalOf(dir));
  try {
    await using place = await startPlace(plan.place, dir);
    const report = await (plan.place === "embedded" ? playSolo : playFleet)({ plan, dir, journal, place, progress });
    return report;
  } finally {
    journal.close();
    if (process.env[keepVariable] === undefined) rmSync(dir, { recursive: true, force: true });
    else console.error(`the run's log: ${journal.path}`);
  }
}

interface Stage {
  readonly plan: PlayPlan;
  readonly dir: string;
  readonly journal: Journal<RunEvent>;
  readonly place: Place;
  readonly progress: (says: string) => void;
}

/** Foremen in processes of their own, and a client here. */
async function playFleet(stage: Stage): Promise<PlayReport> {
  const { plan, dir, journal, place, progress } = stage;
  const { seed, foremen, leaseMs, rate, poison, doomed, drainMs } = plan;
  const beatMs = Math.round(leaseMs * 0.3);
  const settings = {
    ...({ form: "threads", store: place.url, app: appName, dir, asyncWorkers: 2, slots: 6, leaseMs, beatMs } as const),
    program: "../profile/program.js",
  };
  await using crew = new Crew(foremen, settings, journal);
  const app = new App({ id: appName, store: place.clientUrl, nodeId: segmentOfClients, network: { timeout: "30m" } });
  const steps = declareErrands(app, async () => Promise.reject(new Error("the client runs nothing")));
  const note = (event: RunEvent): void => journal.write(event);
  const workload = new Workload({
    ...{ app, steps, note, dice: new Dice(seed + 1), rate, leaseMs, poison, name: `c${seed}` },
  });
  place.bait = workload;
  const sampler = new Sampler(place, () => crew.pids);
  const nemesis = new Nemesis(plan, place, crew, note);
  const acts = new Acts(progress);
  const { marks } = acts;
  await acts.play("starting", async () => {
    await crew.start();
    workload.start();
    await crew.works();
    sampler.start();
  });
  marks.calmMs = sharedMs();
  await acts.play("calm", async () => await pause(plan.calmMs));
  marks.harmMs = sharedMs();
  await acts.play("harming", async () => {
    const clients = doomClients({ count: doomed, overMs: plan.harmMs, seed, store: place.clientUrl, dir });
    await nemesis.run(new Dice(seed + 2), new Dice(seed + 3));
    marks.healedMs = sharedMs();
    await clients;
  });
  if (marks.healedMs === 0) marks.healedMs = sharedMs();
  await acts.play("healed", async () => await pause(plan.healedMs));
  workload.stop();
  marks.stoppedMs = sharedMs();
  let hasSettled = false;
  await acts.play("draining", async () => {
    hasSettled = await workload.settled(2 * leaseMs + drainMs);
  });
  marks.drainedMs = sharedMs();
  let glimpses: Readonly<Record<string, number>> = {};
  let hasEnds = false;
  // Whatever broke off before: what the store says in the end is asked for, or nothing is known of any loss.
  await acts.play("looking", async () => {
    glimpses = await within(place.glimpses(), "what the servers counted", lookMs);
    for (const window of place.windows?.() ?? []) note(window);
    const store = await within(openStore(place.clientUrl, appName), "the store", lookMs);
    try {
      // What only a client that died had asked for may take a moment longer.
      await within(quiet(store, 2 * leaseMs + drainMs), "counts of the store", lookMs + drainMs);
      await within(snapshot(store, app, journal), "the last look at the store", lookMs);
      hasEnds = true;
      if (place.spoil !== undefined) await within(mend(place.spoil(segmentOfClients), app, journal), "fsck", lookMs);
    } finally {
      await store.close();
    }
  });
  sampler.stop();
  let stopMs = 0;
  await acts.play("stopping", async () => {
    stopMs = await crew.stop(40_000);
  });
  await acts.play("closing", async () => await within(app.close(), "the end of the client", lookMs));
  const done = { beatMs, hasEnds, hasSettled, crew, nemesis, sampler, acts };
  return conclude(stage, done, { workload, glimpses, stopMs });
}

/** One process that is Foreman and client, on a store of its own. */
async function playSolo(stage: Stage): Promise<PlayReport> {
  const { plan, dir, journal, place, progress } = stage;
  const { seed, leaseMs, drainMs } = plan;
  const beatMs = Math.round(leaseMs * 0.3);
  const settings = {
    ...({ form: "threads", store: place.url, app: appName, dir, asyncWorkers: 2, slots: 6, leaseMs, beatMs } as const),
    program: "../profile/solo-program.js",
  };
  await using crew = new Crew(1, settings, journal);
  const nemesis = new Nemesis({ ...plan, only: ["foreman killed"] }, place, crew, (event) => journal.write(event));
  const sampler = new Sampler(place, () => crew.pids);
  const acts = new Acts(progress);
  const { marks } = acts;
  await acts.play("starting", async () => {
    await crew.start();
    await crew.works();
    sampler.start();
  });
  marks.calmMs = sharedMs();
  await acts.play("calm", async () => await pause(plan.calmMs));
  marks.harmMs = sharedMs();
  await acts.play("harming", async () => await nemesis.run(new Dice(seed + 2), new Dice(seed + 3)));
  marks.healedMs = sharedMs();
  await acts.play("healed", async () => await pause(plan.healedMs));
  marks.stoppedMs = sharedMs();
  let hasSettled = false;
  await acts.play("draining", async () => {
    writeFileSync(drainFile(dir), "");
    const left = crew.leaves(() => existsSync(drainedFile(dir)));
    await within(left, "the end of all work", 2 * leaseMs + 2 * drainMs);
    hasSettled = true;
  });
  marks.drainedMs = sharedMs();
  sampler.stop();
  let hasEnds = false;
  // One process has the store for itself: while that has not left, nobody else may look.
  if (hasSettled) {
    await acts.play("looking", async () => {
      const store = await openStore(place.url, appName);
      try {
        await snapshot(store, null, journal);
      } finally {
        await store.close();
      }
      const app = new App({ id: appName, store: place.url, nodeId: "n1" });
      await noteFindings(app, journal);
      await app.close();
      hasEnds = true;
    });
  }
  const done = { beatMs, hasEnds, hasSettled, crew, nemesis, sampler, acts };
  return conclude(stage, done, { workload: null, glimpses: {}, stopMs: 0 });
}

/** What a play has done. `hasEnds`: what became of all work was read from the store. */
interface Done {
  readonly beatMs: number;
  readonly hasEnds: boolean;
  readonly hasSettled: boolean;
  readonly crew: Crew;
  readonly nemesis: Nemesis;
  readonly sampler: Sampler;
  readonly acts: Acts;
}

/** Judges what was written down, and reports. */
function conclude(
  { plan, journal, place }: Stage,
  { beatMs, hasEnds, hasSettled, crew, nemesis, sampler, acts }: Done,
  own: Pick<ReportParts, "workload" | "glimpses" | "stopMs">,
): PlayReport {
  journal.read();
  return reportOf({
    plan,
    verdict: judgeRun(journal.events, { ...boundsOf(plan, beatMs, place), isCut: !hasEnds }),
    harms: nemesis.reports,
    kills: crew.kills,
    failedStarts: crew.failedStarts,
    samples: sampler.samples,
    marks: acts.marks,
    hasSettled,
    survivors: crew.survivors,
    failures: [...acts.failures, ...crew.failures],
    ...own,
  });
}

/**
 * The acts of a play, one after the other. One that cannot go on is a failure of the play and not its end: what was
 * written down until then is judged all the same, and the next place is played.
 */
class Acts {
  readonly marks: Marks = { calmMs: 0, harmMs: 0, healedMs: 0, stoppedMs: 0, drainedMs: 0 };
  /** Which act broke off, and why. */
  readonly failures: string[] = [];
  readonly #progress: (says: string) => void;

  constructor(progress: (says: string) => void) {
    this.#progress = progress;
  }

  async play(name: string, act: () => Promise<void>): Promise<void> {
    this.#progress(name);
    try {
      await act();
    } catch (error) {
      const reasons = [error, ...causesOf(error)].map((one) => (one instanceof Error ? one.message : String(one)));
      this.failures.push(`${name}: ${reasons.join(": ")}`);
    }
  }
}

function* causesOf(error: unknown): Generator<unknown> {
  for (let one = error; one instanceof Error && one.cause !== undefined; one = one.cause) yield one.cause;
}

function boundsOf({ leaseMs }: PlayPlan, beatMs: number, { harms }: Place): RunBounds {
  const mayRollBack = harms.some(({ losesMs }) => losesMs !== null);
  return { ...errandBounds, leaseMs, beatMs, marginMs, isFaultFree: false, mayRollBack };
}

/** Starts clients that die after send, spread over a time; resolves when all are dead. */
async function doomClients(options: {
  readonly count: number;
  readonly overMs: number;
  readonly seed: number;
  readonly store: string;
  readonly dir: string;
}): Promise<void> {
  const { count, overMs, seed, store, dir } = options;
  for (let i = 0; i < count; i++) {
    await pause(overMs / (count + 1));
    const told: DoomedOptions = { store, dir, app: appName, segment: segmentOfClients, seed: seed * 100 + i };
    const program = distFile("../profile/doomed-client.js");
    const child = spawn(process.execPath, [program, JSON.stringify(told)], { stdio: "ignore" });
    await within(once(child, "exit"), "the death of a client", 60_000).catch(() => child.kill("SIGKILL"));
  }
}

/** Waits until nothing waits or runs anywhere; what does not end is for the verdict to tell. */
async function quiet(store: Store, patienceMs: number): Promise<void> {
  const giveUpAt = sharedMs() + patienceMs;
  while (sharedMs() < giveUpAt) {
    let left = 0;
    for (const segment of await store.segments()) {
      const { queues, scheduled, running } = await store.counts(segment);
      left += scheduled + running + queues.reduce((sum, { ready }) => sum + ready, 0);
    }
    if (left === 0) return;
    await pause(100);
  }
}

/** Writes down what the store says of everything that was ever heard of. */
async function snapshot(store: Store, app: App | null, journal: Journal<RunEvent>): Promise<void> {
  journal.read();
  const bySegment = new Map<string, Set<string>>();
  for (const event of journal.events) {
    if (event.kind !== "enqueue" && event.kind !== "start") continue;
    const segment = event.id.slice(0, event.id.indexOf("."));
    bySegment.set(segment, (bySegment.get(segment) ?? new Set()).add(event.id));
  }
  for (const [segment, ids] of bySegment) {
    const all = [...ids];
    await store.openSegment(segment);
    for (let from = 0; from < all.length; from += findMax) {
      const some = all.slice(from, from + findMax);
      const { records } = await store.find(segment, { dots: some.map(dotOf), wait: false });
      for (const [i, id] of some.entries()) journal.write(finalOf(id, records[i] ?? "missing"));
    }
  }
  if (app !== null) await noteFindings(app, journal);
  journal.read();
}

/** Lets fsck mend what was spoilt on purpose, and look again. */
async function mend(spoilt: Promise<void>, app: App, journal: Journal<RunEvent>): Promise<void> {
  await spoilt;
  const { mended } = await app.inspect.fsck({ repair: true }).done();
  if (mended > 0) journal.write({ kind: "glimpse", what: "reconciler repaired" });
  await noteFindings(app, journal);
}

/** Looks for contradictions in the store. */
async function noteFindings(app: App, journal: Journal<RunEvent>): Promise<void> {
  const { findings } = await app.inspect.fsck().done();
  for (const { id, kind, about } of findings)
    journal.write({ kind: "finding", id: id ?? "*", finding: about === "" ? kind : `${kind} (${about})` });
}

type Found = Awaited<ReturnType<Store["find"]>>["records"][number];

function finalOf(id: string, record: Found): FinalEvent {
  if (typeof record === "string")
    return { kind: "end", id, state: record, token: 0, attempt: 0, recoveries: 0, returns: 0 };
  const { state, token, attempt, recoveries, returns, generation } = record;
  return { kind: "end", id, state, token, attempt, recoveries, returns, generation };
}

function dotOf(id: string): { laneName: string; counter: number } {
  const [, incarnation = "", last = ""] = /\.([^.]+)\.([^.]+)$/.exec(id) ?? [];
  return { laneName: `${incarnation}.${last.slice(-2)}`, counter: Number.parseInt(last.slice(0, -2), 36) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

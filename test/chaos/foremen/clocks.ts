/**
 * Wall clocks that jump by an hour, forth and back, of the Foremen and of Redis, under load: nobody is rescued who
 * lives, whoever dies is rescued in time, what is delayed is moved by the jump at most, once.
 */
import { renameSync, writeFileSync } from "node:fs";
import type { Breach, ForemanEvent } from "../../checker/foremen.js";
import { WALL_SLACK_MS } from "../../helper/wall-slack.js";
import { Fleet, pause } from "./fleet.js";
import { distFile } from "./foreman-process.js";
import { sharedMs } from "./journal.js";
import { resumeSpareMs } from "./kill-foremen.js";
import { RedisClock } from "./redis-clock.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";
import { clockFile } from "./settings.js";

const hourMs = 3_600_000;
const load = { foremen: 3, asyncWorkers: 1, slots: 8, rate: 150, ms: [10, 120] } as const;
/** Delays of what is enqueued after a jump: each must be heard of anew, since the earliest hides the others. */
const delaysMs = [300, 700, 1_100, 1_500] as const;
/** How late something delayed may begin, on a machine that is busy with chaos. */
const lateMaxMs = 1_500;
/** Store calls beside those of calm times beyond which a Foreman runs in circles. */
const callsMax = 3;

/** When a delayed Operation may begin, by the shared clock. */
interface Window {
  readonly id: string;
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** Moves the wall clocks of Foremen. */
export async function clocksOfForemen(options: ScenarioOptions): Promise<Report> {
  const { form, seed, leaseMs, progress } = options;
  return await report("clocks of Foremen", options, async () => {
    await using fleet = await Fleet.open({ form, leaseMs, seed, preload: [distFile("clock-shift.js")], ...load });
    const breaches: Breach[] = [];
    const windows: Window[] = [];
    const moved = new Set<number>();
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    const calm = await callsPerSecond(fleet, 1_500);
    let worst = 0;
    // All forward, all back, apart.
    const phases = [
      [hourMs, hourMs, hourMs],
      [-hourMs, -hourMs, -hourMs],
      [hourMs, -hourMs, 0],
    ];
    for (const [at, offsets] of phases.entries()) {
      progress(`phase ${at + 1} of ${phases.length}: ${offsets.map((ms) => `${ms / hourMs} h`).join(", ")}`);
      for (const [place, ms] of offsets.entries()) {
        const file = clockFile(fleet.dir, `n${place + 1}`);
        writeFileSync(`${file}.new`, String(ms));
        renameSync(`${file}.new`, file);
      }
      const calls = callsPerSecond(fleet, leaseMs);
      await killOne(fleet);
      windows.push(...(await enqueueDelayed(fleet)));
      worst = Math.max(worst, await calls);
      await pause(resumeSpareMs);
    }
    for (const event of fleet.journal.events) if (event.kind === "start") moved.add(hoursOff(event));
    if (!moved.has(1) || !moved.has(-1)) breaches.push(breach("a fault that bites", "no handler saw a moved clock"));
    if (worst > callsMax * calm) {
      breaches.push(
        breach("no calls in circles", `${Math.round(worst)} store calls a second, ${Math.round(calm)} in calm times`),
      );
    }
    return await conclude(fleet, windows, breaches, { calmCalls: Math.round(calm), worstCalls: Math.round(worst) });
  });
}

/** Moves the wall clock of Redis. `jumps`: how many, of all there are. */
export async function clockOfRedis(options: ScenarioOptions & { readonly jumps?: number }): Promise<Report> {
  const { form, seed, leaseMs, progress } = options;
  return await report("clock of Redis", options, async () => {
    using clock = new RedisClock();
    await using fleet = await Fleet.open({ form, leaseMs, seed, redisProgram: clock.program, ...load });
    const windows: Window[] = [];
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    const calm = await callsPerSecond(fleet, 1_500);
    let worst = 0;
    // Back where it was when something was enqueued, each delay is due at its own time again.
    const offsets = [hourMs, 0, -hourMs, 0, hourMs].slice(0, options.jumps ?? 5);
    const waiting: {
      readonly id: string;
      readonly dueMs: number;
      readonly offsetMs: number;
      readonly jumpMs: number;
    }[] = [];
    let offsetMs = 0;
    for (const [at, next] of offsets.entries()) {
      progress(`jump ${at + 1} of ${offsets.length}: to ${next / hourMs} h`);
      const delayMs = 4 * leaseMs;
      const sentMs = sharedMs();
      const id = await fleet.load.enqueue("work", 5, { delayMs, priority: 1 });
      clock.set(next);
      waiting.push({ id, dueMs: sentMs + delayMs, offsetMs, jumpMs: sharedMs() });
      offsetMs = next;
      const calls = callsPerSecond(fleet, leaseMs);
      await killOne(fleet);
      windows.push(...(await enqueueDelayed(fleet)));
      worst = Math.max(worst, await calls);
      await pause(resumeSpareMs);
    }
    const storeOffMs = (await fleet.storeMs()) - Date.now();
    const breaches: Breach[] = [];
    if (Math.abs(storeOffMs - offsetMs) > 1_000)
      breaches.push(breach("a fault that bites", `Redis' clock is off by ${storeOffMs} ms`));
    // All that waits is due at last once the clock is at its highest.
    clock.set(hourMs);
    const lastMs = sharedMs();
    for (const { id, dueMs, jumpMs } of waiting) {
      windows.push({
        id,
        earliestMs: Math.min(jumpMs, dueMs),
        latestMs: Math.max(dueMs, lastMs) + lateMaxMs + resumeSpareMs,
      });
    }
    if (worst > callsMax * calm) {
      breaches.push(
        breach("no calls in circles", `${Math.round(worst)} store calls a second, ${Math.round(calm)} in calm times`),
      );
    }
    return await conclude(fleet, windows, breaches, { calmCalls: Math.round(calm), worstCalls: Math.round(worst) });
  });
}

async function enqueueDelayed(fleet: Fleet): Promise<Window[]> {
  return await Promise.all(
    delaysMs.map(async (delayMs): Promise<Window> => {
      const sentMs = sharedMs();
      const id = await fleet.load.enqueue("work", 5, { delayMs, priority: 1 });
      const earliestMs = sentMs + delayMs - WALL_SLACK_MS;
      return { id, earliestMs, latestMs: sharedMs() + delayMs + lateMaxMs };
    }),
  );
}

/** Kills one, right after the jump. */
async function killOne(fleet: Fleet): Promise<void> {
  const { place, foreman } = await fleet.pick();
  const { owner, pid } = foreman;
  await foreman.kill9();
  await fleet.noteHeld(owner, fleet.killedAtMs(owner));
  if (fleet.options.form === "supervised") await foreman.replaced(pid);
  else fleet.restart(place, 0);
}

async function conclude(
  fleet: Fleet,
  windows: readonly Window[],
  breaches: Breach[],
  figures: Readonly<Record<string, number>>,
): Promise<{ figures: Record<string, number>; breaches: Breach[] }> {
  const { leaseMs } = fleet.options;
  await fleet.allUp();
  const verdict = await fleet.judge({ resumeMs: leaseMs + resumeSpareMs, isRescueFree: false }, 4 * leaseMs + 20_000);
  breaches.push(...verdict.breaches);
  const { rescued, heldAtKills } = verdict.figures;
  if (rescued > heldAtKills) {
    breaches.push(breach("no wrong rescue", `${rescued} were rescued, ${heldAtKills} were held by the dead`));
  }
  let latestMs = 0;
  for (const { id, ...window } of windows) {
    const begin = fleet.journal.events.find((event) => event.kind === "start" && event.id === id);
    if (begin?.kind !== "start") {
      breaches.push({ promise: "delays", id, says: "it never began" });
      continue;
    }
    if (begin.atMs < window.earliestMs) {
      breaches.push({ promise: "delays", id, says: `it began ${Math.round(window.earliestMs - begin.atMs)} ms early` });
    }
    const lateMs = begin.atMs - window.latestMs + lateMaxMs;
    latestMs = Math.max(latestMs, lateMs);
    if (lateMs > lateMaxMs) breaches.push({ promise: "delays", id, says: `it began ${Math.round(lateMs)} ms late` });
  }
  return {
    figures: { ...figuresOf(verdict), ...figures, delayed: windows.length, latestMs: Math.round(latestMs) },
    breaches,
  };
}

async function callsPerSecond(fleet: Fleet, ms: number): Promise<number> {
  const before = await fleet.storeCalls();
  const fromMs = sharedMs();
  await pause(ms);
  return ((await fleet.storeCalls()) - before) / ((sharedMs() - fromMs) / 1_000);
}

/** By how many hours the wall clock a handler saw differs from the one its claim was stamped with. */
function hoursOff(start: Extract<ForemanEvent, { kind: "start" }>): number {
  return Math.round((start.wallMs - start.token / 1_000) / hourMs);
}

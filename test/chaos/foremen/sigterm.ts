/**
 * SIGTERM of one Foreman after another, under load: code 0, nothing lost, nothing begun twice, no Attempt spent, and
 * what it had claimed and not begun stands at the front again.
 *
 * Now and then something takes longer than a Lease, so that a process which beats no more while it drains is found out.
 */
import { poll } from "../../helper/wait.js";
import { Fleet, pause } from "./fleet.js";
import type { ForemanProcess } from "./foreman-process.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

/** How long a stop may take: the default drain, and a little for the end of the process. */
const graceMs = 30_000;
const exitMs = 2_000;
/** At one in so many stops something is running that takes longer than a Lease. */
const longEvery = 4;
/** Enqueued at once before each stop: more than there are slots, so that a Foreman has claimed more than it began. */
const crowd = 120;

/** Stops `times` times. */
export async function sigterm(options: ScenarioOptions & { readonly times: number }): Promise<Report> {
  const { form, seed, leaseMs, times, progress } = options;
  return await report("sigterm", options, async () => {
    await using fleet = await Fleet.open({
      ...{ form, foremen: 3, leaseMs, seed, asyncWorkers: 1, slots: 8, rate: 180, ms: [2, 60] },
    });
    fleet.load.start();
    const { dice } = fleet;
    const breaches = [];
    for (let time = 1; time <= times; time++) {
      await pause(dice.between(300, 1_000));
      const longMs = time % longEvery === 1 ? Math.round(leaseMs * 1.5) : 0;
      const { place, foreman } = longMs > 0 ? await whoRuns(fleet, longMs) : await fleet.pick();
      progress(`stop ${time} of ${times}`);
      const { owner } = foreman;
      await Promise.all(Array.from({ length: crowd }, () => fleet.load.enqueue("work", dice.between(2, 20))));
      const exit = await foreman.terminate(graceMs + exitMs);
      if (exit.code !== 0) breaches.push(breach("code 0", `${owner} ended with ${exit.code ?? exit.signal}`));
      fleet.restart(place, 0);
    }
    progress("draining");
    await fleet.allUp();
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: true }, graceMs + leaseMs);
    const { released } = await fleet.totals();
    breaches.push(...verdict.breaches);
    if (verdict.figures.startedAgain > 0) {
      breaches.push(breach("no duplicate starts", `${verdict.figures.startedAgain} Operations began twice`));
    }
    if (verdict.figures.givenBack === 0) breaches.push(breach("a fault that bites", "no stop gave back anything"));
    return { figures: { ...figuresOf(verdict), stops: times, released }, breaches };
  });
}

/** Enqueues something that takes so long, and answers who has begun it. */
async function whoRuns(fleet: Fleet, ms: number): Promise<{ place: number; foreman: ForemanProcess }> {
  const id = await fleet.load.enqueue("work", ms, { priority: 1 });
  return await poll(() => {
    fleet.journal.read();
    const owner = fleet.journal.events.find((event) => event.kind === "start" && event.id === id);
    return fleet.alive.find(({ foreman }) => owner?.kind === "start" && foreman.owner === owner.owner) ?? null;
  }, "the begin of something long");
}

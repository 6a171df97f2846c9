/**
 * SIGSTOP of all Foremen for three Leases, as when a machine is suspended, then SIGCONT: nobody takes from the others
 * what they hold, since whoever stood still knows that it saw nothing; no more begins again than what was running.
 */
import { Fleet, pause } from "./fleet.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

/** Until everybody holds something, and has been seen to. */
const settleMs = 3_000;
/** They wake one after the other: the first sees what the others look like while they still stand. */
const thawMs = 200;

/** Stops all Foremen for three Leases. */
export async function freeze(options: ScenarioOptions): Promise<Report> {
  const { form, seed, leaseMs, progress } = options;
  return await report("freeze", options, async () => {
    const slots = 8;
    await using fleet = await Fleet.open({
      ...{ form, foremen: 5, leaseMs, seed, asyncWorkers: 1, slots, rate: 90, ms: [200, 600] },
    });
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    await pause(settleMs);
    progress("all stand still for three Leases");
    fleet.load.stop();
    for (const { foreman } of fleet.alive) foreman.freeze();
    await pause(3 * leaseMs);
    for (const { foreman } of fleet.alive) {
      foreman.thaw();
      await pause(thawMs);
    }
    fleet.load.start();
    progress("all go on");
    await pause(leaseMs);
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false }, 4 * leaseMs + 20_000);
    const breaches = [...verdict.breaches];
    const { startedAgain, rescued } = verdict.figures;
    if (rescued > 0) breaches.push(breach("no wrong rescue", `${rescued} were rescued though all lived`));
    const heldMax = 2 * slots * fleet.places.length;
    if (startedAgain > heldMax) {
      breaches.push(breach("no stampede", `${startedAgain} began again, ${heldMax} could have been held`));
    }
    return { figures: figuresOf(verdict), breaches };
  });
}

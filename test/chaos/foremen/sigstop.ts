/**
 * SIGSTOP of a Foreman for three Leases, then SIGCONT: another has rescued and completed what it held, so its outcomes
 * are refused as stale, its handlers are told `lease_lost`, nothing is done twice in the record, and it works on.
 */
import type { AbortEvent, BeginEvent, ForemanEvent } from "../../checker/foremen.js";
import { poll } from "../../helper/wait.js";
import { Fleet, pause } from "./fleet.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

const slots = 12;
const holders = 6;
const worksOnStarts = 20;

/** Stops one Foreman for three Leases. */
export async function sigstop(options: ScenarioOptions): Promise<Report> {
  const { form, seed, leaseMs, progress } = options;
  return await report("sigstop", options, async () => {
    await using fleet = await Fleet.open({
      ...{ form, foremen: 3, leaseMs, seed, asyncWorkers: 1, slots, rate: 150, ms: [20, 150] },
    });
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    // Some Operations that still run when it wakes.
    const held = await Promise.all(Array.from({ length: holders }, () => fleet.load.enqueue("hold", 0)));
    const isBegun = (event: ForemanEvent): event is BeginEvent => event.kind === "start" && held.includes(event.id);
    const begun = await poll(() => {
      fleet.journal.read();
      const starts = fleet.journal.events.filter(isBegun);
      return starts.length === holders ? starts : null;
    }, "the begin of what is held");
    const { foreman } = fleet.alive.find((one) => one.foreman.owner === begun[0]?.owner) ?? (await fleet.pick());
    const { owner } = foreman;
    progress(`stopping ${owner} for three Leases`);
    foreman.freeze();
    await pause(3 * leaseMs);
    const rescued = (await fleet.totals()).rescued;
    foreman.thaw();
    progress(`${owner} goes on`);
    const before = fleet.begunBy(owner);
    const mine = begun.filter((start) => start.owner === owner);
    const isLost = (event: ForemanEvent): event is AbortEvent =>
      event.kind === "abort" && event.owner === owner && event.reason === "lease_lost";
    const breaches = [];
    const told = await poll(() => {
      fleet.journal.read();
      const aborted = fleet.journal.events.filter(isLost);
      return mine.every(({ id }) => aborted.some((event) => event.id === id)) ? aborted.length : null;
    }, "lease_lost told to every handler").catch(() => 0);
    if (told === 0)
      breaches.push(breach("lease_lost", `${mine.length} handlers ran on when ${owner} woke; not all were told`));
    const worksOn = await poll(
      () => (fleet.begunBy(owner) >= before + worksOnStarts ? true : null),
      "work after it",
    ).catch(() => false);
    if (!worksOn)
      breaches.push(breach("works on", `${owner} began ${fleet.begunBy(owner) - before} Operations after it woke`));
    fleet.letGo();
    progress("draining");
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false }, 4 * leaseMs + 20_000);
    breaches.push(...verdict.breaches);
    const { zombies } = verdict.figures;
    if (zombies > slots)
      breaches.push(breach("self-fence", `${zombies} lost claims began when it woke, ${slots} fit in hand`));
    if (rescued === 0) breaches.push(breach("a fault that bites", "nothing was rescued while it stood still"));
    if (verdict.figures.stale === 0) breaches.push(breach("a fault that bites", "no outcome was refused as stale"));
    return { figures: { ...figuresOf(verdict), toldLeaseLost: told, heldOnWaking: mine.length }, breaches };
  });
}

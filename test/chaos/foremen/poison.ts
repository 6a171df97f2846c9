/**
 * One Operation kills every process that runs it, among normal load on five Foremen: it is dead-lettered after the cap,
 * nothing else is, and the others' throughput stays.
 */
import type { ForemanEvent } from "../../checker/foremen.js";
import { poll } from "../../helper/wait.js";
import { Fleet, pause } from "./fleet.js";
import { sharedMs } from "./journal.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

const foremen = 5;
const recoveriesMax = 3;
const calmMs = 8_000;
const shareMin = 0.8;

/** More than the five can do: what they complete is what they can. */
const rate = 260;

/** Lets one poisoned Operation loose. */
export async function poison(options: ScenarioOptions): Promise<Report> {
  const { form, seed, leaseMs, progress } = options;
  return await report("poison", options, async () => {
    await using fleet = await Fleet.open({
      ...{ form, foremen, leaseMs, seed, asyncWorkers: 1, slots: 4, rate, ms: [40, 160] },
    });
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    progress("measuring without the poison");
    const calm = await completionsPerSecond(fleet, () => pause(calmMs));
    const isOver = { now: false };
    const keeping = keepUp(fleet, isOver);
    progress("measuring with the poison");
    const id = await fleet.load.enqueue("poison", 30, { priority: 1 });
    const patienceMs = (recoveriesMax + 1) * (leaseMs + 5_000) + 20_000;
    const hurt = await completionsPerSecond(fleet, async () => {
      await poll(
        async () => ((await fleet.stateOf(id)) === "failed" ? true : null),
        "the poison among the dead letters",
        patienceMs,
      );
    });
    const code = await fleet.failureOf(id);
    progress("draining");
    await pause(1_000);
    isOver.now = true;
    await keeping;
    await fleet.allUp();
    const exempt = new Set([id]);
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false, exempt }, 4 * leaseMs + 20_000);
    const breaches = [...verdict.breaches];
    const deaths = fleet.journal.events.filter((event) => event.kind === "start" && event.id === id).length;
    if (code !== "MR_POISON") breaches.push(breach("poison", `it ended with ${code}`));
    if (deaths !== recoveriesMax + 1)
      breaches.push(breach("poison", `it began ${deaths} times, ${recoveriesMax + 1} are allowed`));
    const share = hurt.rate / calm.rate;
    if (share < shareMin)
      breaches.push(breach("throughput", `${Math.round(share * 100)} % of ${Math.round(calm.rate)}/s were left`));
    return {
      figures: {
        ...figuresOf(verdict),
        ...{
          deaths,
          calmPerSecond: Math.round(calm.rate),
          hurtPerSecond: Math.round(hurt.rate),
          hurtMs: Math.round(hurt.ms),
        },
      },
      breaches,
    };
  });
}

/** Starts again, at once, what died; under a supervisor only learns the new process. */
async function keepUp(fleet: Fleet, isOver: { readonly now: boolean }): Promise<void> {
  while (!isOver.now) {
    for (const { place, foreman } of fleet.fallen) {
      if (fleet.options.form === "supervised") await foreman.replaced(foreman.pid);
      else fleet.restart(place, 0);
    }
    await pause(20);
  }
}

async function completionsPerSecond(fleet: Fleet, span: () => Promise<void>): Promise<{ rate: number; ms: number }> {
  const fromMs = sharedMs();
  await span();
  const ms = sharedMs() - fromMs;
  fleet.journal.read();
  const isWithin = (event: ForemanEvent): boolean =>
    event.kind === "result" && event.atMs >= fromMs && event.atMs < fromMs + ms;
  return { rate: (fleet.journal.events.filter(isWithin).length / ms) * 1_000, ms };
}

/**
 * An Operation kills every process that runs it: once in the company of a few that always begin beside it, once among
 * normal load on five Foremen. It is dead-lettered after the cap, nothing else is, and the others' throughput stays.
 */
import type { Breach, ForemanEvent } from "../../checker/foremen.js";
import { poll } from "../../helper/wait.js";
import { Fleet, pause } from "./fleet.js";
import { sharedMs } from "./journal.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

const foremen = 5;
const recoveriesMax = 3;
const slots = 4;
const warmUpMs = 1_000;
/** How long throughput is measured without the poison, and with it: at least, since four deaths may be over sooner. */
const spanMs = 10_000;
/** How long its company takes: always until it strikes. */
const companyMs = 1_200;
const shareMin = 0.8;

/** More than the five can do: what they complete is what they can. */
const rate = 170;

/** Lets one poisoned Operation loose. */
export async function poison(options: ScenarioOptions): Promise<Report> {
  const { form, seed, leaseMs, progress } = options;
  return await report("poison", options, async () => {
    await using fleet = await Fleet.open({
      ...{ form, foremen, leaseMs, seed, asyncWorkers: 2, slots: slots / 2, rate, ms: [60, 240] },
    });
    const breaches: Breach[] = [];
    const isOver = { now: false };
    const keeping = keepUp(fleet, isOver);
    const patienceMs = (recoveriesMax + 1) * (leaseMs + 5_000) + 20_000;
    const ends = async (id: string): Promise<void> => {
      const isDead = async (): Promise<true | null> => ((await fleet.stateOf(id)) === "failed" ? true : null);
      await poll(isDead, "the poison among the dead letters", patienceMs);
    };
    progress("the poison in company");
    const company = { priority: 1 };
    const [first = ""] = await Promise.all([
      fleet.load.enqueue("poison", companyMs / 4, company),
      ...Array.from({ length: slots - 1 }, () => fleet.load.enqueue("work", companyMs, company)),
    ]);
    await ends(first);

    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    progress("measuring without the poison");
    await pause(warmUpMs);
    const calm = await completionsPerSecond(fleet, () => pause(spanMs));
    progress("measuring with the poison");
    const second = await fleet.load.enqueue("poison", 30, { priority: 1 });
    let hurtMs = 0;
    const hurt = await completionsPerSecond(fleet, async (fromMs) => {
      await ends(second);
      hurtMs = sharedMs() - fromMs;
      await pause(Math.max(0, spanMs - hurtMs));
    });
    progress("draining");
    await pause(1_000);
    isOver.now = true;
    await keeping;
    await fleet.allUp();
    for (const id of [first, second]) {
      const code = await fleet.failureOf(id);
      const deaths = fleet.journal.events.filter((event) => event.kind === "start" && event.id === id).length;
      if (code !== "MR_POISON") breaches.push({ promise: "poison", id, says: `it ended with ${code}` });
      if (deaths !== recoveriesMax + 1) {
        breaches.push({ promise: "poison", id, says: `it began ${deaths} times, ${recoveriesMax + 1} are allowed` });
      }
    }
    const exempt = new Set([first, second]);
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false, exempt }, 4 * leaseMs + 30_000);
    breaches.push(...verdict.breaches);
    const share = hurt.rate / calm.rate;
    if (share < shareMin) {
      breaches.push(breach("throughput", `${Math.round(share * 100)} % of ${Math.round(calm.rate)}/s were left`));
    }
    const rates = { calmPerSecond: Math.round(calm.rate), hurtPerSecond: Math.round(hurt.rate) };
    return {
      figures: { ...figuresOf(verdict), ...rates, hurtMs: Math.round(hurtMs), measuredMs: Math.round(hurt.ms) },
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

async function completionsPerSecond(
  fleet: Fleet,
  span: (fromMs: number) => Promise<void>,
): Promise<{ rate: number; ms: number }> {
  const fromMs = sharedMs();
  await span(fromMs);
  const ms = sharedMs() - fromMs;
  fleet.journal.read();
  const isWithin = (event: ForemanEvent): boolean =>
    event.kind === "result" && event.atMs >= fromMs && event.atMs < fromMs + ms;
  return { rate: (fleet.journal.events.filter(isWithin).length / ms) * 1_000, ms };
}

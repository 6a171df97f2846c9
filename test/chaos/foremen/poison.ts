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
const spanMs = 20_000;
/** How long its company takes: always until it strikes. */
const companyMs = 1_200;
const shareMin = 0.8;

/** More than the five can do: what they complete is what they can. */
const rate = 170;

/** How the poison is let loose. */
export interface PoisonOptions extends ScenarioOptions {
  /** Only in company and with fewer Foremen: shows what innocent Operations suffer; throughput is not measured. */
  readonly isBrief?: boolean;
}

/** Lets it loose. */
export async function poison(options: PoisonOptions): Promise<Report> {
  const { form, seed, leaseMs, progress, isBrief = false } = options;
  return await report("poison", options, async () => {
    await using fleet = await Fleet.open({
      ...{
        form,
        foremen: isBrief ? 3 : foremen,
        leaseMs,
        seed,
        asyncWorkers: 2,
        slots: slots / 2,
        rate,
        ms: [60, 240],
      },
    });
    const isOver = { now: false };
    const keeping = keepUp(fleet, isOver);
    progress("the poison in company");
    const ids = [await strikeInCompany(fleet)];
    let rates: Readonly<Record<string, number>> = {};
    const breaches: Breach[] = [];
    if (!isBrief) {
      const { id, calm, hurt, hurtMs, worst } = await strikeUnderLoad(fleet, progress);
      ids.push(id);
      const share = hurt.rate / calm.rate;
      if (share < shareMin) {
        breaches.push(breach("throughput", `${Math.round(share * 100)} % of ${Math.round(calm.rate)}/s were left`));
      }
      const [calmPerSecond, hurtPerSecond] = [Math.round(calm.rate), Math.round(hurt.rate)];
      // While it lives, one Foreman of five is nearly always being started again.
      rates = {
        calmPerSecond,
        hurtPerSecond,
        worstPerSecond: Math.round(worst),
        hurtMs: Math.round(hurtMs),
        measuredMs: Math.round(hurt.ms),
      };
    }
    progress("draining");
    await pause(1_000);
    isOver.now = true;
    await keeping;
    await fleet.allUp();
    for (const id of ids) breaches.push(...(await judgePoison(fleet, id)));
    const exempt = new Set(ids);
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false, exempt }, 4 * leaseMs + 30_000);
    return { figures: { ...figuresOf(verdict), ...rates }, breaches: [...breaches, ...verdict.breaches] };
  });
}

/** Enqueues it together with as many others as one Foreman takes at once; resolves when it is a dead letter. */
async function strikeInCompany(fleet: Fleet): Promise<string> {
  const company = { priority: 1 };
  const [id = ""] = await Promise.all([
    fleet.load.enqueue("poison", companyMs / 4, company),
    ...Array.from({ length: slots - 1 }, () => fleet.load.enqueue("work", companyMs, company)),
  ]);
  await whenDead(fleet, id);
  return id;
}

/** Measures throughput without it and with it. */
async function strikeUnderLoad(
  fleet: Fleet,
  progress: ScenarioOptions["progress"],
): Promise<{
  readonly id: string;
  readonly calm: Span;
  readonly hurt: Span;
  readonly hurtMs: number;
  readonly worst: number;
}> {
  fleet.load.start();
  for (const { foreman } of fleet.alive) await fleet.works(foreman);
  progress("measuring without the poison");
  await pause(warmUpMs);
  const calm = await throughput(fleet, () => pause(spanMs));
  progress("measuring with the poison");
  const id = await fleet.load.enqueue("poison", 30, { priority: 1 });
  let hurtMs = 0;
  let worst = 0;
  const hurt = await throughput(fleet, async (fromMs) => {
    worst = (await throughput(fleet, () => whenDead(fleet, id))).rate;
    hurtMs = sharedMs() - fromMs;
    await pause(Math.max(0, spanMs - hurtMs));
  });
  return { id, calm, hurt, hurtMs, worst };
}

async function whenDead(fleet: Fleet, id: string): Promise<void> {
  const patienceMs = (recoveriesMax + 1) * (fleet.options.leaseMs + 5_000) + 20_000;
  const isDead = async (): Promise<true | null> => ((await fleet.stateOf(id)) === "failed" ? true : null);
  await poll(isDead, "the poison among the dead letters", patienceMs);
}

async function judgePoison(fleet: Fleet, id: string): Promise<Breach[]> {
  const breaches: Breach[] = [];
  const code = await fleet.failureOf(id);
  fleet.journal.read();
  const begun = fleet.journal.events.filter((event) => event.kind === "start" && event.id === id).length;
  if (code !== "MR_POISON") breaches.push({ promise: "poison", id, says: `it ended with ${code}` });
  if (begun !== recoveriesMax + 1) {
    breaches.push({ promise: "poison", id, says: `it began ${begun} times, ${recoveriesMax + 1} are allowed` });
  }
  return breaches;
}

/** Starts again, at once, what died; under a supervisor only learns the new process. */
async function keepUp(fleet: Fleet, isOver: { readonly now: boolean }): Promise<void> {
  while (!isOver.now) {
    // Several may be dead at a time, and be replaced while another is waited for.
    const fallen = fleet.fallen.map(({ place, foreman }) => ({ place, foreman, pid: foreman.pid }));
    for (const { place, foreman, pid } of fallen) {
      if (fleet.options.form === "supervised") await foreman.replaced(pid);
      else fleet.restart(place, 0);
    }
    await pause(20);
  }
}

/** Completions a second over a span, and how long it was. */
interface Span {
  readonly rate: number;
  readonly ms: number;
}

async function throughput(fleet: Fleet, span: (fromMs: number) => Promise<void>): Promise<Span> {
  const fromMs = sharedMs();
  await span(fromMs);
  const ms = sharedMs() - fromMs;
  fleet.journal.read();
  const isWithin = (event: ForemanEvent): boolean =>
    event.kind === "result" && event.atMs >= fromMs && event.atMs < fromMs + ms;
  return { rate: (fleet.journal.events.filter(isWithin).length / ms) * 1_000, ms };
}

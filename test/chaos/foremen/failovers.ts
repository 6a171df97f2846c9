/**
 * Sentinel failovers, again and again, by kill -9 and by SIGSTOP of the primary in turn: every Foreman works again within
 * 3 s after the new primary answers; what the old one had acknowledged and not passed on is counted and printed; nothing
 * that is there in the end was accepted twice.
 */
import type { Breach } from "../../checker/foremen.js";
import { SentinelGroup } from "../../helper/sentinel.js";
import { Fleet, pause } from "./fleet.js";
import { againMs, worksAgain } from "./gaps.js";
import { sharedMs } from "./journal.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

/** How many failovers. */
export interface FailoverOptions extends ScenarioOptions {
  readonly count: number;
}

/**
 * What a failover with asynchronous replicas may do to what the old primary had acknowledged in its last moments: an
 * enqueue is gone, an outcome or a claim is forgotten and the work begins again, by a claim of its own or by the one that
 * the new primary remembers and nobody has ended there: then the same token ends twice, once on each primary. Counted,
 * and no breach.
 */
const forgettable: ReadonlySet<string> = new Set([
  "no loss",
  "no start without a cause",
  "no start after the end",
  "one completion",
  "one accepted outcome",
  "owner and token once",
]);
const calmMs = 1_000;

/** Fails over. */
export async function failovers(options: FailoverOptions): Promise<Report> {
  const { form, seed, leaseMs, count, progress } = options;
  return await report("failovers", options, async () => {
    const group = await SentinelGroup.start({ servers: 3, sentinels: 3 });
    await using fleet = await Fleet.open({
      ...{ form, foremen: 3, leaseMs, seed, asyncWorkers: 1, slots: 8, rate: 150, ms: [5, 60] },
      place: group,
    });
    const breaches: Breach[] = [];
    const [gaps, agains]: [number[], number[]] = [[], []];
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    for (let n = 1; n <= count; n++) {
      const how = n % 2 === 1 ? "kill" : "stop";
      progress(`failover ${n} of ${count} by ${how}`);
      await group.settled();
      await pause(calmMs);
      const hurtMs = sharedMs();
      const old = await group.hurt(how);
      await group.replaced(old);
      const answersMs = sharedMs();
      gaps.push(answersMs - hurtMs);
      const ms = await worksAgain(fleet, answersMs);
      agains.push(ms);
      if (ms > againMs)
        breaches.push(breach("works again", `${Math.round(ms)} ms after the new primary answered (${n}, ${how})`));
      await group.heal(old);
    }
    progress("draining");
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false }, 2 * leaseMs + 20_000);
    // What is told of all ("*") is counted by the surviving server alone, and there nothing may be accepted twice.
    const isForgotten = ({ promise, id }: Breach): boolean => id !== "*" && forgettable.has(promise);
    const forgotten = verdict.breaches.filter(isForgotten);
    const lost = new Set(forgotten.filter(({ promise }) => promise === "no loss").map(({ id }) => id)).size;
    const figures = {
      ...figuresOf(verdict),
      ...{ failovers: count, lost, forgotten: forgotten.length },
      ...{ gapP50Ms: middleOf(gaps), gapMaxMs: Math.round(Math.max(...gaps)) },
      ...{ againP50Ms: middleOf(agains), againMaxMs: Math.round(Math.max(...agains)) },
    };
    return { figures, breaches: [...breaches, ...verdict.breaches.filter((one) => !isForgotten(one))] };
  });
}

function middleOf(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

/**
 * A store that goes away and comes back: redis-server killed and restarted, stopped and continued, its clients cut off
 * every second, its functions flushed every 100 ms. Every Foreman works again within 3 s, nothing acknowledged is lost
 * (the server keeps an append-only file), nothing is accepted twice.
 */
import type { Breach } from "../../checker/foremen.js";
import { Fleet, pause } from "./fleet.js";
import { againMs, longestGap, worksAgain } from "./gaps.js";
import { sharedMs } from "./journal.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";

/** What a run takes. */
export interface OutageOptions extends ScenarioOptions {
  /** How long the server is away, each in both ways. Milliseconds. */
  readonly downsMs: readonly number[];
  /** How long clients are cut off, and functions flushed. Milliseconds. */
  readonly stormMs: number;
}

const calmMs = 500;
/** Before a storm so much work is laid up that all Foremen have some throughout: one without any is not deaf. */
const stormWorkMs = 200;
const flushEveryMs = 100;
const cutEveryMs = 1_000;

/** Takes the store away, in all ways. */
export async function outages(options: OutageOptions): Promise<Report> {
  const { form, seed, leaseMs, downsMs, stormMs, progress } = options;
  return await report("outages", options, async () => {
    await using fleet = await Fleet.open({
      ...{ form, foremen: 3, leaseMs, seed, asyncWorkers: 1, slots: 8, rate: 150, ms: [5, 60] },
      // Flushed every second, it would hold writes back while its disk is busy: a kill would cost them.
      redisOptions: { appendonly: true, appendfsync: "always" },
    });
    const breaches: Breach[] = [];
    const figures: Record<string, number> = {};
    const note = (name: string, ms: number): void => {
      figures[name] = Math.round(ms);
      if (ms > againMs) breaches.push(breach("works again", `${Math.round(ms)} ms after the store answered (${name})`));
    };
    fleet.load.start();
    for (const { foreman } of fleet.alive) await fleet.works(foreman);
    for (const downMs of downsMs) {
      progress(`killed for ${downMs} ms`);
      await fleet.redis.kill9();
      await pause(downMs);
      await fleet.redis.restart(); // resolves when it answers
      note(`killed${downMs}`, await worksAgain(fleet, sharedMs()));
      await pause(calmMs);
      progress(`stopped for ${downMs} ms`);
      process.kill(fleet.redis.pid, "SIGSTOP");
      await pause(downMs);
      process.kill(fleet.redis.pid, "SIGCONT");
      note(`stopped${downMs}`, await worksAgain(fleet, sharedMs()));
      await pause(calmMs);
    }
    progress("clients cut off");
    let cuts = 0;
    note(
      "cutGap",
      await storm(fleet, stormMs, cutEveryMs, async () => {
        for (const type of ["normal", "pubsub"])
          cuts += Number(await fleet.client.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"));
      }),
    );
    progress("functions flushed");
    let flushes = 0;
    note(
      "flushGap",
      await storm(fleet, stormMs, flushEveryMs, async () => {
        await fleet.client.script("FLUSH");
        await fleet.client.function("FLUSH");
        flushes++;
      }),
    );
    if (cuts === 0) breaches.push(breach("a fault that bites", "no client was cut off"));
    progress("draining");
    const verdict = await fleet.judge({ resumeMs: null, isRescueFree: false }, 4 * leaseMs + 30_000);
    return {
      figures: { ...figuresOf(verdict), ...figures, cuts, flushes },
      breaches: [...breaches, ...verdict.breaches],
    };
  });
}

/** Hurts again and again; the longest time a Foreman began nothing. */
async function storm(fleet: Fleet, forMs: number, everyMs: number, hurt: () => Promise<void>): Promise<number> {
  const { foremen, slots } = fleet.options;
  const enough = Math.ceil((forMs / stormWorkMs) * foremen * slots);
  await Promise.all(Array.from({ length: enough }, () => fleet.load.enqueue("work", stormWorkMs)));
  const sinceMs = sharedMs();
  while (sharedMs() - sinceMs < forMs) {
    await hurt();
    await pause(everyMs);
  }
  return longestGap(fleet, sinceMs);
}

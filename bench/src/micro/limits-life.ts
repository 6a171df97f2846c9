/** What one life costs Redis with a limit and without: enqueue, claim and complete in turn, at the Store contract. */
import { type PaceTie, RedisStore, type Ties } from "@millrace/core/internal";
import { RedisMeter } from "../tool/cpu.js";

/**
 * What an Operation bears. `fast` and `record` bear nothing; `record` goes by the full path, as `fair` does. The limits go
 * by a tied lane, as in the product; of `full limit` half of each batch is parked first.
 */
export const kinds = ["fast", "record", "limit", "keyed limit", "full limit", "rate", "fair"] as const;

/** One of them. */
export type Kind = (typeof kinds)[number];

const queue = "async";
const segment = "bench";
const body = Buffer.alloc(100, 1);
const value = Buffer.alloc(24, 2);
const retainMs = 86_400_000;
const roomy = 1_000_000;
const keys = 1000;
/** So many that each key has been met once. */
const warmUpCalls = 10;
const pace: PaceTie = { name: "s@0:", everyMs: 0.0001, burst: roomy };

function tiesOf(kind: Kind, n: number, batch: number): Ties | null {
  const none = { key: null, line: null, gates: [] };
  switch (kind) {
    case "limit":
      return { ...none, gates: [{ name: "s#0:", slots: roomy }] };
    case "keyed limit":
      return { ...none, gates: [{ name: `s#0:key-${n % keys}`, slots: 1000 }] };
    case "full limit":
      return { ...none, gates: [{ name: "s#0:", slots: batch / 2 }] };
    case "rate":
      return { ...none, gates: [pace] };
    case "fair":
      return { ...none, flow: { name: `s:key-${n % 100}`, weight: 1 } };
    default:
      return null;
  }
}

/** Redis processor time per life in microseconds. */
export async function measureLimited(url: string, kind: Kind, batch: number, operations: number): Promise<number> {
  const meter = new RedisMeter(url);
  const store = new RedisStore({ url, app: "bench" });
  try {
    await meter.flush();
    await store.open();
    await store.openSegment(segment);
    const isFull = kind === "record" || kind === "fair";
    const isTied = kind !== "fast" && !isFull;
    const laneName = `life.${isFull ? "00" : "01"}`;
    const { lane } = await store.laneOpen(segment, { laneName, queue: isFull ? null : queue, isTied });
    let counter = 0;
    let request = 1;
    let done = 0;
    const enqueue = async (): Promise<void> => {
      const first = counter + 1;
      counter += batch;
      if (!isFull) {
        const bodies = Array.from({ length: batch }, () => body);
        const params = { lane, laneName, first, bodies };
        const gates = bodies.map((_, i) => tiesOf(kind, first + i, batch)?.gates ?? []);
        await store.enqueue(segment, isTied ? { ...params, gates } : params);
        return;
      }
      const elements = Array.from({ length: batch }, (_, i) => {
        return { counter: first + i, queue, priority: 0, due: null, body, ties: tiesOf(kind, first + i, batch) };
      });
      await store.enqueueFull(segment, { lane, laneName, elements });
    };
    const work = async (): Promise<void> => {
      await enqueue();
      while (done < counter) {
        const { claims } = await store.claim(segment, { owner: "life", request, queues: [queue], max: batch });
        if (claims.length === 0) throw new Error(`nothing to claim after ${done} of ${counter}`);
        request++;
        const values = claims.map(() => value);
        await store.complete(segment, { owner: "life", retainMs, held: claims, values });
        done += claims.length;
      }
    };
    for (let i = 0; i < warmUpCalls; i++) await work();
    const from = done;
    const cpu = await meter.cpuUs();
    while (done - from < operations) await work();
    return ((await meter.cpuUs()) - cpu) / (done - from);
  } finally {
    await store.close();
    meter.close();
  }
}

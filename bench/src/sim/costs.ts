/** What one call costs the server here: Redis processor time per call and per element, measured by difference. */
import { RedisStore } from "@millrace/core/internal";
import { Redis } from "ioredis";
import { costPer } from "../micro/lua-life.js";
import { Driver, keepMs } from "../micro/transitions.js";
import { RedisMeter } from "../tool/cpu.js";

/** Microseconds of server time: so much for a call, so much more for each element in it. */
export interface Line {
  readonly callUs: number;
  readonly elementUs: number;
}

/** Every call a Foreman makes without being asked by a user, and those of an Operation's life. */
export interface ServerCosts {
  readonly enqueue: Line;
  readonly claim: Line;
  readonly complete: Line;
  /** A claim that finds nothing. */
  readonly emptyClaim: Line;
  /** A look at one Segment (the survey). */
  readonly counts: Line;
  readonly prune: Line;
  /** A beat in one Segment. */
  readonly extend: Line;
  readonly nodeBeat: Line;
  /** The index of Nodes; elements are entries. */
  readonly nodes: Line;
  /** The App's list of Segments; elements are names. */
  readonly segments: Line;
  /** A message; elements are those who hear it. */
  readonly publish: Line;
  /** One round trip as a client sees it, idle server, in ms. */
  readonly roundTripMs: number;
}

const SEGMENT = "bench";
const FEW = 20;
const MANY = 400;
const LISTENERS = 60;
const SURVEYED = 64;

/** Measures on an empty server; `calls` of each kind. */
export async function measureCosts(url: string, calls: number): Promise<ServerCosts> {
  const meter = new RedisMeter(url);
  const store = new RedisStore({ url, app: "bench" });
  const redis = new Redis(url);
  const listeners: Redis[] = [];
  const body = Buffer.alloc(100, "x");
  const value = Buffer.alloc(24, "y");
  const each = (work: (call: number) => Promise<unknown>) =>
    costPer(meter, calls, async () => {
      for (let call = 0; call < calls; call++) await work(call);
    });
  try {
    await meter.flush();
    await store.open();
    const driver = await Driver.open(store, "costs", body);
    const life = async (batch: number) => {
      const claimed: Awaited<ReturnType<Driver["claim"]>>[] = [];
      const enqueue = await each(() => driver.enqueue(batch));
      const claim = await each(async () => claimed.push(await driver.claim(batch)));
      const complete = await each((call) => driver.complete(claimed[call] ?? [], value, keepMs));
      return { enqueue, claim, complete };
    };
    await life(1); // warms up
    const single = await life(1);
    const batched = await life(100);
    let request = 1_000_000;
    const emptyClaim = await each(() =>
      store.claim(SEGMENT, { owner: "empty", request: ++request, queues: ["async"], max: 10 }),
    );
    // A round of the survey asks for all its Segments at once; every other call here waits for the one before.
    const rounds = Math.ceil(calls / SURVEYED);
    const counts = await costPer(meter, rounds * SURVEYED, async () => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(Array.from({ length: SURVEYED }, () => store.counts(SEGMENT)));
      }
    });
    const prune = await each(() => store.prune(SEGMENT, { max: 256 }));
    const extend = await each(() => store.extend(SEGMENT, { owner: "empty" }));

    const about = Buffer.alloc(160, "a");
    const join = (from: number, to: number) => {
      const beats = Array.from({ length: to - from }, (_, i) =>
        store.nodeBeat({ incarnation: `i${from + i}`, node: `n${from + i}`, about, isJoining: false }),
      );
      return Promise.all(beats);
    };
    await join(0, FEW);
    const nodeBeat = await each(() => store.nodeBeat({ incarnation: "i1", node: "n1", about, isJoining: false }));
    const nodesFew = await each(() => store.nodes());
    await join(FEW, MANY);
    const nodesMany = await each(() => store.nodes());

    for (let i = 0; i < FEW; i++) await store.openSegment(`s${i}`);
    const segmentsFew = await each(() => store.segments());
    for (let i = FEW; i < MANY; i++) await store.openSegment(`s${i}`);
    const segmentsMany = await each(() => store.segments());

    const listen = async (to: number) => {
      while (listeners.length < to) {
        const listener = new Redis(url);
        listeners.push(listener);
        await listener.subscribe("sim");
      }
    };
    const message = Buffer.alloc(40, "m");
    await listen(1);
    const heardByOne = await each(() => redis.publish("sim", message));
    await listen(LISTENERS);
    const heardByMany = await each(() => redis.publish("sim", message));

    return {
      enqueue: line(single.enqueue, batched.enqueue, 1, 100),
      claim: line(single.claim, batched.claim, 1, 100),
      complete: line(single.complete, batched.complete, 1, 100),
      emptyClaim: { callUs: emptyClaim, elementUs: 0 },
      counts: { callUs: counts, elementUs: 0 },
      prune: { callUs: prune, elementUs: 0 },
      extend: { callUs: extend, elementUs: 0 },
      nodeBeat: { callUs: nodeBeat, elementUs: 0 },
      nodes: line(nodesFew, nodesMany, FEW, MANY),
      segments: line(segmentsFew, segmentsMany, FEW, MANY),
      publish: line(heardByOne, heardByMany, 1, LISTENERS),
      roundTripMs: (await meter.pingUs()) / 1_000,
    };
  } finally {
    for (const listener of listeners) listener.disconnect();
    redis.disconnect();
    await store.close();
    meter.close();
  }
}

/** What `elements` cost in one call, in µs. */
export function costOf({ callUs, elementUs }: Line, elements: number): number {
  return callUs + elementUs * elements;
}

/** A line through two measurements; nothing costs less than nothing, however noisy they were. */
function line(low: number, high: number, lowAt: number, highAt: number): Line {
  const elementUs = Math.max(0, (high - low) / (highAt - lowAt));
  return { callUs: Math.max(1, low - elementUs * lowAt), elementUs };
}

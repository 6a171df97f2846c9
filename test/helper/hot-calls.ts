/**
 * The calls of an Operation's life, in batches, on a Segment that holds many others: enqueued by both paths, claimed,
 * finished in each way, read, promoted. For `measureCalls`, which tells what each costs the server.
 */
import type { Claim, Store } from "@millrace/core/internal";

/** Measures one kind of call; what `act` answers is shown beside the costs. */
export type Measure = (what: string, act: () => Promise<unknown>) => Promise<void>;

const segment = "web-1";
const calls = 40;
const batch = 50;
const retainMs = 3_600_000;
/** Fast and full path, in Queues of their own: claims meet these Operations only. */
const fastLane = "abd.01";
const fullLane = "abd.00";

/** Calls what begins, runs, ends and reads Operations, `calls` times in batches of `batch`. */
export async function hotCalls(store: Store, body: Uint8Array, measure: Measure): Promise<void> {
  const { lane: fast } = await store.laneOpen(segment, { laneName: fastLane, queue: "hot" });
  const { lane: full } = await store.laneOpen(segment, { laneName: fullLane, queue: null });
  const bodies = Array<Uint8Array>(batch).fill(body);
  const many = async (what: string, act: (turn: number) => Promise<unknown>): Promise<void> => {
    await measure(what, async () => {
      for (let turn = 0; turn < calls; turn++) await act(turn);
      return `${calls * batch} done`;
    });
  };
  let counter = 1;
  const enqueueFull = async (more: object): Promise<unknown> => {
    const elements = Array.from({ length: batch }, () => {
      return { counter: counter++, queue: "hotter", priority: 0, due: null, body, ...more };
    });
    return store.enqueueFull(segment, { lane: full, laneName: fullLane, elements });
  };
  let request = 1;
  const held: Claim[] = [];
  const claim = async (queue: string): Promise<unknown> => {
    const { claims } = await store.claim(segment, { owner: "hot", request: request++, queues: [queue], max: batch });
    if (claims.length !== batch) throw new Error(`expected ${batch} claims of ${queue}, got ${claims.length}`);
    return held.push(...claims);
  };
  const some = (): readonly Claim[] => held.splice(0, batch);

  await many("enqueue", (turn) =>
    store.enqueue(segment, { lane: fast, laneName: fastLane, first: turn * batch + 1, bodies }),
  );
  await many("enqueue, with a priority", () => enqueueFull({ priority: 3 }));
  await many("enqueue, delayed", () => enqueueFull({ due: { in: 86_400_000 } }));
  await many("claim", () => claim("hot"));
  await many("extend", () => store.extend(segment, { owner: "hot" }));
  await many("fail, to be tried again", () => {
    const elements = some().map((one) => ({ ...one, retryInMs: 0, value: body }));
    return store.fail(segment, { owner: "hot", retainMs, elements });
  });
  await many("promote", () => store.promote(segment, { max: batch }));
  await many("claim, what was tried before", () => claim("hot"));
  await many("release", () => {
    const elements = some().map((one) => ({ ...one, delayMs: null }));
    return store.release(segment, { owner: "hot", retainMs, elements });
  });
  await many("claim, what was given back", () => claim("hot"));
  await many("complete", () => {
    const done = some();
    return store.complete(segment, { owner: "hot", retainMs, held: done, values: done.map(() => body) });
  });
  await many("status", (turn) => {
    const dots = Array.from({ length: batch }, (_, i) => ({ laneName: fastLane, counter: turn * batch + i + 1 }));
    return store.find(segment, { dots, wait: false });
  });
  await many("claim, by priority", () => claim("hotter"));
  await many("fail, for good", () => {
    const elements = some().map((one) => ({ ...one, retryInMs: null, value: body }));
    return store.fail(segment, { owner: "hot", retainMs, elements });
  });
}

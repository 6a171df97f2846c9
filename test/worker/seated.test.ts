/** An App inside a Worker: its Steps may use all of it, and every call is answered by the Foreman. */
import { createError, decode, encode } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { poll, within } from "../helper/wait.js";
import { FakeForeman } from "./fake-foreman.js";
import { FakeServices } from "./services.js";

const ID = "segment.lane.701";
const KEY = "segment lane.01 7";

async function setUp() {
  const services = new FakeServices();
  const foreman = new FakeForeman("seated", { services });
  await foreman.ready;
  return { services, foreman };
}

/** An outcome's bytes: an empty Step name, two times, a payload. */
function outcomeOf(value: unknown): Uint8Array {
  return Buffer.concat([Buffer.alloc(11), encode(value)]);
}

describe("inside a Step, an App", () => {
  it("enqueues through the Foreman's Producer, by the fast path and by the full one", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    expect(await foreman.run("enqueue", 5)).toMatchObject({ value: "segment.lane.101" });
    const ids = ["segment.lane.201", "segment.lane.301", "segment.lane.401"];
    expect(await foreman.run("enqueue-full", 6)).toMatchObject({ value: ids });
    expect(services.enqueued.map(({ queue, priority, due }) => ({ queue, priority, due }))).toEqual([
      { queue: "targets", priority: 0, due: null },
      { queue: "elsewhere", priority: 5, due: null },
      { queue: "targets", priority: 0, due: { in: 60_000 } },
      { queue: "targets", priority: 0, due: { at: 86_400_000 } },
    ]);
    const [body] = services.enqueued.map((one) => Buffer.from(one.body));
    expect(body?.toString("latin1")).toContain("target");
    expect(decode(body?.subarray(6 + "target".length) ?? new Uint8Array(0))).toBe(5);
  });

  it("enqueues 20,000 in order, and says which were refused", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    const { value } = await foreman.run("enqueue-many", 20_000);
    expect(services.enqueued.map(({ body }) => decode(Buffer.from(body).subarray(12)))).toEqual(
      Array.from({ length: 20_000 }, (_, i) => i),
    );
    expect((value as string[]).at(-1)).toBe(`segment.lane.${(20_000).toString(36)}01`);
    services.refusal = createError("MR_QUEUE_FULL", { queue: "targets", max: 3 });
    expect(await foreman.run("enqueue", 1)).toMatchObject({ kind: "failed", value: { code: "MR_QUEUE_FULL" } });
    const refused = await foreman.run("enqueue-many", 2);
    expect(refused.value).toEqual([
      "Queue `targets` holds its maximum of 3 Operations",
      "Queue `targets` holds its maximum of 3 Operations",
    ]);
  });

  it("waits for results, as many as it likes at once", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    services.accepted = (key, counter) => {
      void poll(() => services.waits.get(key) ?? null, "a wait").then((waits) => {
        for (const waiter of waits) waiter.settled({ state: "completed", attempt: 1, value: outcomeOf(counter) });
      });
    };
    expect(await foreman.run("run", 1)).toMatchObject({ kind: "completed", value: 1 });
    const count = 500;
    expect(await foreman.run("gather", count)).toMatchObject({
      value: Array.from({ length: count }, (_, i) => i + 2).reduce((sum, n) => sum + n, 0),
    });
  });

  it("hears how an awaited Operation ended, and can stop waiting", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    expect(await foreman.run("wait", ID)).toMatchObject({ kind: "failed", value: { code: "MR_WAIT_TIMEOUT" } });
    await poll(() => (services.waits.size === 0 ? true : null), "the end of the wait");
    const seat = foreman.give("result", ID);
    foreman.publish();
    const waits = await poll(() => services.waits.get(KEY) ?? null, "a wait");
    const error = { name: "TypeError", message: "remote" };
    for (const waiter of waits) waiter.settled({ state: "failed", attempt: 3, value: outcomeOf(error) });
    expect(await foreman.end(seat)).toMatchObject({
      kind: "failed",
      value: { code: "MR_OPERATION_FAILED", cause: { name: "TypeError", message: "remote" } },
    });
  });

  it("reads, cancels and follows", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    expect(await foreman.run("status", ID)).toMatchObject({ kind: "failed", value: { code: "MR_NOT_FOUND" } });
    const unsaid = { body: null, value: null, progress: null, parked: null };
    services.found = { id: ID, state: "running", queue: "q", priority: 0, ...unsaid };
    expect(await foreman.run("status", ID)).toMatchObject({ value: "running" });
    expect(services.calls[0]).toEqual(["find", "segment", "lane.01", 7]);
    services.answers.cancel = { answers: ["requested"] };
    expect(await foreman.run("cancel", ID)).toMatchObject({ value: "requested" });
    services.answers.cancel = createError("MR_STORE_UNAVAILABLE", { store: "x", reason: "away" });
    expect(await foreman.run("cancel", ID)).toMatchObject({ value: { code: "MR_STORE_UNAVAILABLE" } });
    const seat = foreman.give("progress", ID);
    foreman.publish();
    const followers = await poll(() => services.followers.get(KEY) ?? null, "a follower");
    for (const follower of followers) for (const done of [1, 2]) follower(encode({ done }));
    const waits = await poll(() => services.waits.get(KEY) ?? null, "a wait");
    for (const waiter of waits) waiter.settled({ state: "completed", attempt: 1, value: outcomeOf(0) });
    expect(await foreman.end(seat)).toMatchObject({ value: [{ done: 1 }, { done: 2 }] });
    await poll(() => (services.followers.size === 0 ? true : null), "the end of the following");
  });

  it("X9: waits for the durability a Step in a Worker asks of an enqueue, at the Foreman", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    services.answers.secure = { level: "fsync", replicas: 2, missing: [] };
    const receipt = { durability: "fsync", replicas: 2, basis: "checked", deduplicated: false };
    expect(await foreman.run("secured", 1)).toMatchObject({ value: receipt });
    services.answers.secure = { level: "fsync", replicas: 1, missing: [] };
    expect(await foreman.run("secured", 1)).toMatchObject({ value: { code: "MR_INDETERMINATE" } });
  });

  it("knows the store's promise, its Queues and itself", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    expect(await foreman.run("receipt", 1)).toMatchObject({ value: { durability: "fsync", deduplicated: false } });
    Object.assign(services.answers, {
      segments: ["segment"],
      counts: { queues: [{ queue: "targets", ready: 4, isPaused: false }], parked: 0 },
      peek: {
        records: [{ id: ID, state: "failed", queue: "targets", body: null, value: null, progress: null, parked: null }],
        total: 1,
      },
      requeue: { answers: ["ok"] },
    });
    expect(await foreman.run("queue", null)).toMatchObject({
      value: { counts: { queue: "targets", ready: 4, isPaused: false }, dead: [ID], requeued: 1 },
    });
    expect(services.calls.filter(([method]) => method === "recordPause")).toEqual([
      ["recordPause", "targets", true],
      ["recordPause", "targets", false],
    ]);
    expect(await foreman.run("about", null)).toMatchObject({ value: { running: 1, state: "started", id: "test" } });
  });

  it("cannot be stopped or closed, and no other App can be started", async () => {
    const { foreman } = await setUp();
    await using _ = foreman;
    for (const [what, text] of [
      ["stop", "App test is inside a Worker: stop needs it to be in the main thread"],
      ["close", "App test is inside a Worker: close needs it to be in the main thread"],
      [
        "other.start",
        "App other is inside a Worker: start needs it to be in the main thread: this Worker runs another App",
      ],
    ]) {
      expect(await foreman.run("refused", what)).toMatchObject({ value: { code: "MR_APP_STATE", message: text } });
    }
  });

  it("leaves no wait behind when its Worker is gone", async () => {
    const { services, foreman } = await setUp();
    await using _ = foreman;
    await foreman.run("leave-open", ID);
    await poll(() => services.waits.get(KEY) ?? null, "a wait");
    expect(foreman.desk?.open).toBe(1);
    await foreman.thread.terminate();
    await within(foreman.exited, "the end");
    foreman.desk?.drop(foreman);
    expect(foreman.desk?.open).toBe(0);
    expect(services.waits.size).toBe(0);
  });
});

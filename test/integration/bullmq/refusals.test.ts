/** What the BullMQ door does not offer is refused, with a code and the native way; nothing is ignored in silence. */
import { isMillraceError } from "@millrace/core";
import { FlowProducer, Queue, QueueEvents, Worker } from "@millrace/core/compat/bullmq";
import { describe, expect, test } from "vitest";
import { House, places, refusal } from "./house.js";

const [memory] = places;
if (memory === undefined) throw new Error("there are places");
const store = "memory:";
const noop = async () => null;

async function refused(act: () => unknown, hint: RegExp): Promise<void> {
  const error = await refusal(act);
  expect(isMillraceError(error, "MR_COMPAT_UNSUPPORTED"), String(error)).toBe(true);
  expect(error.message).toMatch(hint);
}

describe("X27: options of a job", () => {
  test.each([
    ["lifo", { lifo: true }, /priority/],
    ["repeat", { repeat: { every: 1000 } }, /schedules/],
    ["parent", { parent: { id: "1", queue: "q" } }, /FlowProducer/],
    ["keepLogs", { keepLogs: 10 }, /logger/],
    ["telemetry", { telemetry: { metadata: "x" } }, /events and metrics/],
    ["removeOnComplete by count", { removeOnComplete: 100 }, /age/],
    ["removeOnFail by count and age", { removeOnFail: { age: 5, count: 100 } }, /age/],
    ["one nobody knows", { attempt: 3 } as object, /not known/],
  ])("X27: %s is refused", async (_name, opts, hint) => {
    await using house = new House(memory);
    const queue = house.queue();
    await refused(() => queue.add("a", {}, opts), hint);
    await refused(() => queue.addBulk([{ name: "a", data: {}, opts }]), hint);
    await refused(() => house.queue("work", { defaultJobOptions: opts as object }), hint);
    expect(await queue.count()).toBe(0);
  });

  test.each([
    ["a negative delay", { delay: -1 }],
    ["a fractional priority", { priority: 1.5 }],
    ["too large a priority", { priority: 2 ** 21 + 1 }],
    ["attempts that are no number", { attempts: "3" as never }],
    ["a backoff without a type", { backoff: {} as never }],
    ["a jitter beyond 1", { backoff: { type: "fixed", delay: 1, jitter: 2 } }],
  ])("X27: %s is an invalid option", async (_name, opts) => {
    await using house = new House(memory);
    const error = await refusal(() => house.queue().add("a", {}, opts));
    expect(isMillraceError(error, "MR_INVALID_OPTION"), String(error)).toBe(true);
  });

  test("X27: sizeLimit refuses what is larger, and takes what is not", async () => {
    await using house = new House(memory);
    const queue = house.queue();
    const error = await refusal(() => queue.add("a", { pad: "x".repeat(100) }, { sizeLimit: 50 }));
    expect(isMillraceError(error, "MR_TOO_LARGE")).toBe(true);
    await queue.add("a", { pad: "x" }, { sizeLimit: 50 });
    expect(await queue.count()).toBe(1);
  });

  test("X27: stackTraceLimit 0 keeps no stack", async () => {
    await using house = new House(memory);
    const queue = house.queue();
    house.worker(async () => {
      throw new Error("no");
    });
    const job = await queue.add("a", {}, { stackTraceLimit: 0 });
    await refusal(() => job.waitUntilFinished(null, 10_000));
    expect((await queue.getJob(job.id))?.stacktrace).toEqual([]);
  });

  test("X27: data that cannot be stored is refused by its path", async () => {
    await using house = new House(memory);
    const error = await refusal(() => house.queue().add("a", { inside: () => 1 }));
    expect(isMillraceError(error, "MR_NOT_SERIALISABLE")).toBe(true);
    expect(error.message).toContain("inside");
  });
});

describe("X27: options of a Worker", () => {
  test.each([
    ["maximumRateLimitDelay", { maximumRateLimitDelay: 1000 }, /does not poll/],
    ["metrics", { metrics: { maxDataPoints: 10 } }, /metrics/],
    ["lockDuration", { lockDuration: 1000 }, /Lease/],
    ["stalledInterval", { stalledInterval: 1000 }, /Lease/],
    ["skipStalledCheck", { skipStalledCheck: true }, /Lease/],
    ["drainDelay", { drainDelay: 5 }, /bell/],
    ["useWorkerThreads", { useWorkerThreads: true }, /threads/],
    ["settings.repeatStrategy", { settings: { repeatStrategy: () => 1 } }, /schedules/],
    ["removeOnComplete by count", { removeOnComplete: { count: 5 } }, /age/],
  ])("X27: %s is refused", async (_name, options, hint) => {
    await refused(() => new Worker("w", noop, { store, autorun: false, ...options }), hint);
  });

  test("X27: a sandboxed processor is refused with a pointer to Worker threads", async () => {
    await refused(() => new Worker("w", "/srv/processor.js", { store }), /Worker threads/);
    await refused(() => new Worker("w", new URL("file:///srv/processor.js"), { store }), /Worker threads/);
  });

  test("X27: a Worker without a processor is refused", async () => {
    await refused(() => new Worker("w", null, { store }), /processor/);
  });

  test("X27: a concurrency below one is an invalid option", async () => {
    const error = await refusal(() => new Worker("w", noop, { store, concurrency: 0 }));
    expect(isMillraceError(error, "MR_INVALID_OPTION")).toBe(true);
  });

  test("X27: getNextJob is refused", async () => {
    await using house = new House(memory);
    const worker = house.worker(noop, { autorun: false });
    await refused(() => worker.getNextJob("token"), /processor/);
  });
});

describe("X27: options of the others", () => {
  test("X27: options of a Queue that tune BullMQ's own machinery are refused", async () => {
    await refused(() => new Queue("q", { store, streams: { events: { maxLen: 10 } } }), /event stream/);
    await refused(() => new Queue("q", { store, telemetry: {} }), /events and metrics/);
    await refused(() => new QueueEvents("q", { store, lastEventId: "0-0" }), /not stored/);
    await refused(() => new FlowProducer({ store, blockingConnection: true }), /blocks/);
  });

  test("X27: a connection that cannot be said in a URL is refused", async () => {
    await refused(() => new Queue("q", { connection: { sentinels: [{ host: "a" }], name: "m" } }), /redis-sentinel:/);
    await refused(() => new Queue("q", { connection: { host: "a", keyPrefix: "x" } }), /prefix/);
    await refused(() => new Queue("q", { connection: { host: "a", tls: { ca: "x" } } }), /ca=FILE/);
  });

  test("X27: a name with a colon, or none, is an invalid option", async () => {
    for (const name of ["a:b", ""]) {
      const error = await refusal(() => new Queue(name, { store }));
      expect(isMillraceError(error, "MR_INVALID_OPTION")).toBe(true);
    }
  });
});

describe("X27: methods that would need what the engine does not have", () => {
  test("X27: every such method of a Queue is refused with the way to do it", async () => {
    await using house = new House(memory);
    const queue = house.queue();
    await refused(() => queue.getJobs(["waiting-children"]), /getWaiting/);
    await refused(() => queue.getPrioritizedCount(), /getWaiting/);
    await refused(() => queue.clean(0, 100), /age/);
    await refused(() => queue.obliterate(), /prefix/);
    await refused(() => queue.promoteJobs(), /add it again/);
    await refused(() => queue.retryJobs({ state: "completed" }), /add them again/);
    await refused(() => queue.upsertJobScheduler("s", { every: 1000 }), /schedules/);
    await refused(() => queue.getJobSchedulers(), /schedules/);
    await refused(() => queue.getJobLogs("1"), /logger/);
    await refused(() => queue.getMetrics("completed"), /metrics/);
  });

  test("X27: every such method of a job is refused with the way to do it", async () => {
    await using house = new House(memory);
    const job = await house.queue().add("a", {}, { delay: 60_000 });
    await refused(() => job.updateData({}), /fixed/);
    await refused(() => job.log("row"), /logger/);
    await refused(() => job.promote(), /add it again/);
    await refused(() => job.changeDelay(1), /add it again/);
    await refused(() => job.changePriority({ priority: 1 }), /add it again/);
    await refused(() => job.extendLock("t", 1), /Lease/);
    await refused(() => job.moveToCompleted(null, "t"), /processor/);
    await refused(() => job.moveToWaitingChildren("t"), /FlowProducer/);
    await refused(() => job.updateProgress(1), /processor/);
    await refused(() => job.moveToDelayed(1), /processor/);
  });
});

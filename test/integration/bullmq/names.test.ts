/** Jobs with names of the program's own: what has a name is there once, for as long as the program said. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { poll } from "../../helper/wait.js";
import { gate, House, inState, next, type Place, places, refusal } from "./house.js";

const folder = await mkdtemp(join(tmpdir(), "millrace-names-"));
const embedded: Place = { label: "embedded", options: () => ({ store: `embedded:${folder}` }), isShared: false };

describe.each([...places, embedded])("X27: names on $label", (place) => {
  test("X27: a jobId is the job's id everywhere: for add, reads, the processor and listeners", async () => {
    await using house = new House(place);
    const [queue, events] = [house.queue(), house.events()];
    const job = await queue.add("bill", { sum: 3 }, { jobId: "order-17" });
    expect(job.id).toBe("order-17");
    expect(await queue.getJob("order-17")).toMatchObject({ id: "order-17", name: "bill", data: { sum: 3 } });
    expect(await queue.getJobState("order-17")).toBe("waiting");
    const completed = next(events, "completed");
    const worker = house.worker(async ({ id, data }) => `${id}: ${data.sum}`);
    const told = next(worker, "completed");
    expect(await job.waitUntilFinished(events, 10_000)).toBe("order-17: 3");
    expect((await completed)[0]).toMatchObject({ jobId: "order-17", returnvalue: "order-17: 3" });
    expect((await told)[0]).toMatchObject({ id: "order-17" });
    expect(await queue.getJob("order-17")).toMatchObject({ id: "order-17", returnvalue: "order-17: 3" });
    expect(await queue.getJob("order-18")).toBeUndefined();
  });

  test("X27: while there is a job of that id another add is passed over, waiting or completed", async () => {
    await using house = new House(place);
    const [queue, events] = [house.queue(), house.events()];
    const heard: string[] = [];
    events.on("duplicated", ({ jobId }) => heard.push(jobId));
    const [first, second] = await queue.addBulk([
      { name: "a", data: { n: 1 }, opts: { jobId: "one" } },
      { name: "a", data: { n: 2 }, opts: { jobId: "one" } },
    ]);
    expect(second?.id).toBe("one");
    expect(await queue.count()).toBe(1);
    const ran: number[] = [];
    house.worker(async ({ data }) => ran.push(data.n));
    await first?.waitUntilFinished(events, 10_000);
    const again = await queue.add("a", { n: 3 }, { jobId: "one" });
    await again.waitUntilFinished(events, 10_000);
    expect(ran).toEqual([1]);
    expect(heard).toEqual(["one", "one"]);
  });

  test("X27: an id is free again once its job was removed, or was not to be kept", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.add("a", { n: 1 }, { jobId: "one" });
    expect(await queue.remove("one")).toBe(1);
    expect(await queue.getJob("one")).toBeUndefined();
    const ran: number[] = [];
    house.worker(async ({ data }) => ran.push(data.n));
    const brief = { jobId: "one", removeOnComplete: true } as const;
    await (await queue.add("a", { n: 2 }, brief)).waitUntilFinished(null, 10_000);
    await poll(async () => {
      await (await queue.add("a", { n: 3 }, brief)).waitUntilFinished(null, 10_000).catch(() => null);
      return ran.length === 2 ? true : null;
    }, "the id being free");
    expect(ran).toEqual([2, 3]);
  });

  test("X27: a child of a flow keeps its id", async () => {
    await using house = new House(place);
    const flows = house.flows();
    house.worker(async (job) => (job.name === "sum" ? Object.keys(await job.getChildrenValues()) : 1));
    const child = { name: "part", queueName: "work", opts: { jobId: "part-1" } };
    const { job } = await flows.add({ name: "sum", queueName: "work", opts: { jobId: "sum-1" }, children: [child] });
    expect(await job.waitUntilFinished(null, 15_000)).toEqual([`${job.prefix}:work:part-1`]);
    const tree = await flows.getFlow({ id: "sum-1", queueName: "work" });
    expect(tree?.children?.map((node) => node.job.id)).toEqual(["part-1"]);
  });

  test("X27: deduplication by id alone lets one in until it has ended, failed tries in between", async () => {
    await using house = new House(place);
    const [queue, events] = [house.queue(), house.events()];
    const heard = next(events, "deduplicated");
    const opts = { deduplication: { id: "d" }, attempts: 2, backoff: 20 } as const;
    const first = await queue.add("a", {}, opts);
    expect(await queue.getDeduplicationJobId("d")).toBe(first.id);
    const { opened, open } = gate();
    const worker = house.worker(async (job) => {
      if (job.attemptsMade === 0) throw new Error("once");
      await opened;
    });
    await next(worker, "failed");
    expect((await queue.add("a", {}, opts)).id).toBe(first.id);
    expect((await heard)[0]).toEqual({ jobId: first.id, deduplicationId: "d" });
    open();
    await first.waitUntilFinished(events, 10_000);
    expect(await queue.getDeduplicationJobId("d")).toBeNull();
    expect((await queue.add("a", {}, opts)).id).not.toBe(first.id);
  });

  test("X27: deduplication with ttl lets one in each ttl, whether it has ended or still waits", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const opts = { deduplication: { id: "d", ttl: 300 } };
    const first = await queue.add("a", {}, opts);
    expect((await queue.add("a", {}, opts)).id).toBe(first.id);
    // The first one waits all the time, and holds nobody up when the ttl is over.
    const second = await poll(async () => {
      const job = await queue.add("a", {}, opts);
      return job.id === first.id ? null : job;
    }, "the ttl being over");
    expect(await queue.count()).toBe(2);
    house.worker(async () => null);
    await second.waitUntilFinished(null, 10_000);
    const third = await queue.add("b", {}, { deduplication: { id: "e", ttl: 60_000 } });
    await third.waitUntilFinished(null, 10_000);
    expect((await queue.add("b", {}, { deduplication: { id: "e", ttl: 60_000 } })).id).toBe(third.id);
  });

  test("X27: the debounce mode keeps the last of what came in quick succession", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const opts = { deduplication: { id: "d", ttl: 400, extend: true, replace: true }, delay: 400 };
    const jobs = [];
    for (const n of [1, 2, 3]) jobs.push(await queue.add("a", { n }, opts));
    expect(await queue.getJobCounts("delayed")).toEqual({ delayed: 1 });
    const ran: number[] = [];
    house.worker(async ({ data }) => ran.push(data.n));
    await jobs[2]?.waitUntilFinished(null, 10_000);
    expect(ran).toEqual([3]);
  });

  test("X27: `replace` takes the place of a job that is delayed, and is passed over for one that is not", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const opts = { debounce: { id: "d", replace: true } };
    const delayed = await queue.add("a", { n: 1 }, { ...opts, delay: 60_000 });
    const ready = await queue.add("a", { n: 2 }, opts);
    expect(ready.id).not.toBe(delayed.id);
    expect(await delayed.getState()).toBe("unknown");
    expect((await queue.add("a", { n: 3 }, opts)).id).toBe(ready.id);
    const { opened, open } = gate();
    house.worker(async () => await opened);
    await inState(ready, "active");
    expect((await queue.add("a", { n: 4 }, opts)).id).toBe(ready.id);
    open();
    await ready.waitUntilFinished(null, 10_000);
  });
});

describe("X27: names that cannot be carried", () => {
  const [memory] = places as [Place];

  test.each([
    ["both names at once", { jobId: "a", deduplication: { id: "b" } }, /one of them/],
    ["an id like Millrace's own", { jobId: "web1.m3k9.1601" }, /without dots/],
    ["ttl with replace alone", { deduplication: { id: "a", ttl: 5, replace: true } }, /both/],
    ["ttl with extend alone", { deduplication: { id: "a", ttl: 5, extend: true } }, /both/],
    ["keepLastIfActive", { deduplication: { id: "a", keepLastIfActive: true } as never }, /leave it out/],
  ])("X27: %s is refused", async (_name, opts, hint) => {
    await using house = new House(memory);
    const error = await refusal(() => house.queue().add("a", {}, opts));
    expect(isMillraceError(error, "MR_COMPAT_UNSUPPORTED"), String(error)).toBe(true);
    expect(error.message).toMatch(hint);
  });

  test.each([
    ["a whole number", { jobId: "17" }],
    ["a text with a colon", { jobId: "a:b" }],
    ["a ttl that is no number", { deduplication: { id: "a", ttl: "5s" as never } }],
    ["no id", { deduplication: {} as never }],
  ])("X27: %s is an invalid option", async (_name, opts) => {
    await using house = new House(memory);
    const error = await refusal(() => house.queue().add("a", {}, opts));
    expect(isMillraceError(error, "MR_INVALID_OPTION"), String(error)).toBe(true);
  });

  test("X27: freeing a name by hand is refused", async () => {
    await using house = new House(memory);
    const queue = house.queue();
    const job = await queue.add("a", {}, { deduplication: { id: "d" } });
    for (const act of [() => queue.removeDeduplicationKey("d"), () => job.removeDeduplicationKey()]) {
      expect(isMillraceError(await refusal(act), "MR_COMPAT_UNSUPPORTED")).toBe(true);
    }
    await rm(folder, { recursive: true, force: true });
  });
});

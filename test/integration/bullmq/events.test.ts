/** Listening to a queue through the BullMQ door, in this process and (on Redis) across two. */
import { describe, expect, test } from "vitest";
import { poll, within } from "../../helper/wait.js";
import { House, next, places, redisPlace } from "./house.js";

describe.each(places)("X27: QueueEvents on $label", (place) => {
  test("X27: a job's way is heard in order: added, waiting, active, completed", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const events = house.events();
    const heard: string[] = [];
    for (const name of ["added", "waiting", "active", "completed"] as const) {
      events.on(name, ({ jobId }: { jobId: string }) => heard.push(`${name} ${jobId}`));
    }
    const completed = next(events, "completed");
    const { id } = await queue.add("a", {});
    house.worker(async () => "well");
    const [args, eventId] = await within(completed, "completed");
    expect(args).toEqual({ jobId: id, returnvalue: "well", prev: "active" });
    expect(eventId).toBeTypeOf("string");
    expect(heard).toEqual([`added ${id}`, `waiting ${id}`, `active ${id}`, `completed ${id}`]);
  });

  test("X27: failed is heard once, when no attempt is left", async () => {
    await using house = new House(place);
    const events = house.events();
    const heard: unknown[] = [];
    events.on("failed", (args) => heard.push(args));
    const exhausted = next(events, "retries-exhausted");
    house.worker(async () => {
      throw new Error("no");
    });
    const { id } = await house.queue().add("a", {}, { attempts: 2 });
    expect((await within(exhausted, "retries-exhausted"))[0]).toEqual({ jobId: id, attemptsMade: "2" });
    expect(heard).toEqual([{ jobId: id, failedReason: "no", prev: "active" }]);
  });

  test("X27: delayed, removed, paused and resumed are heard", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const events = house.events();
    const heard: string[] = [];
    for (const name of ["delayed", "removed", "paused", "resumed"] as const) events.on(name, () => heard.push(name));
    const job = await queue.add("a", {}, { delay: 60_000 });
    await queue.remove(job.id);
    await queue.pause();
    await queue.resume();
    expect(heard).toEqual(["delayed", "removed", "paused", "resumed"]);
  });

  test("X27: progress is heard", async () => {
    await using house = new House(place);
    const events = house.events();
    const progress = next(events, "progress");
    const end = next(events, "completed");
    house.worker(async (job) => {
      await job.updateProgress({ half: true });
      await within(progress, "progress");
    });
    const { id } = await house.queue().add("a", {});
    expect((await within(progress, "progress"))[0]).toEqual({ jobId: id, data: { half: true } });
    await within(end, "completed");
  });

  test("X27: without autorun nothing is heard before run", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const events = house.events("work", { autorun: false });
    const heard: string[] = [];
    events.on("waiting", ({ jobId }) => heard.push(jobId));
    await queue.add("a", {});
    await events.run();
    const { id } = await queue.add("b", {});
    expect(heard).toEqual([id]);
  });

  test("X27: waitUntilFinished takes QueueEvents, as BullMQ's does", async () => {
    await using house = new House(place);
    const events = house.events();
    house.worker(async () => 7);
    const job = await house.queue().add("a", {});
    expect(await job.waitUntilFinished(events)).toBe(7);
  });
});

describe("X27: two processes on one Redis", () => {
  test("X27: what one adds the other runs, and the first hears how it ended", async () => {
    await using house = new House(redisPlace);
    const queue = house.queue();
    const events = house.events();
    const worker = house.worker(async (job) => job.data.n + 1, { other: true });
    await worker.waitUntilReady();
    const completed = next(events, "completed");
    const job = await queue.add("a", { n: 1 });
    expect((await within(completed, "completed"))[0]).toMatchObject({ jobId: job.id, returnvalue: 2 });
    expect(await job.waitUntilFinished(events)).toBe(2);
  });

  test("X27: progress of a job that runs elsewhere is heard where it was added", async () => {
    await using house = new House(redisPlace);
    const queue = house.queue();
    const events = house.events();
    const progress = next(events, "progress");
    const worker = house.worker(
      async (job) => {
        await job.updateProgress(50);
        await within(progress, "progress");
      },
      { other: true },
    );
    await worker.waitUntilReady();
    const job = await queue.add("a", {});
    await job.waitUntilFinished(null, 15_000);
    expect((await progress)[0]).toEqual({ jobId: job.id, data: 50 });
  });

  test("X27: a pause reaches every process", async () => {
    await using house = new House(redisPlace);
    const ran: string[] = [];
    const worker = house.worker(async (job) => void ran.push(job.name), { other: true });
    await worker.waitUntilReady();
    const queue = house.queue();
    await queue.pause();
    const job = await queue.add("a", {});
    expect(await house.queue("work", { other: true }).isPaused()).toBe(true);
    expect(await job.getState()).toBe("waiting");
    await queue.resume();
    await job.waitUntilFinished(null, 15_000);
  });

  test("X27: jobs are read, counted and removed from another process", async () => {
    await using house = new House(redisPlace);
    const [here, there] = [house.queue(), house.queue("work", { other: true })];
    const job = await here.add("a", { n: 1 });
    expect(await there.getJob(job.id)).toMatchObject({ name: "a", data: { n: 1 } });
    expect(await there.count()).toBe(1);
    expect(await there.remove(job.id)).toBe(1);
    await poll(async () => ((await here.count()) === 0 ? true : null), "the job gone");
  });
});

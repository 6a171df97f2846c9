/** What a BullMQ program expects of a Queue, in our own words, on memory and on Redis. */
import { isMillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { within } from "../../helper/wait.js";
import { gate, House, inState, next, places, refusal } from "./house.js";

describe.each(places)("X27: a Queue on $label", (place) => {
  test("X27: add answers a job with its id, name, data and time", async () => {
    await using house = new House(place);
    const before = Date.now();
    const job = await house.queue().add("paint", { colour: "red" });
    expect(job.id).toMatch(/\./);
    expect(job.name).toBe("paint");
    expect(job.data).toEqual({ colour: "red" });
    expect(job.timestamp).toBeGreaterThanOrEqual(before);
    expect(job.attemptsMade).toBe(0);
    expect(job.queueName).toBe("work");
    expect(job.queueQualifiedName).toBe(`${house.prefix}:work`);
  });

  test("X27: a job's name is any text, and needs no declaring", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const names: string[] = [];
    house.worker(async (job) => void names.push(job.name));
    const jobs = await queue.addBulk(["a b", "ünï/code", "x".repeat(300)].map((name) => ({ name, data: {} })));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(names).toEqual(["a b", "ünï/code", "x".repeat(300)]);
  });

  test("X27: a queue's name may hold spaces and dots, and different ones never meet", async () => {
    await using house = new House(place);
    const [spaced, dotted] = [house.queue("my queue"), house.queue("my.queue")];
    await spaced.add("a", {});
    expect(await spaced.count()).toBe(1);
    expect(await dotted.count()).toBe(0);
  });

  test("X27: a job without data has an empty object", async () => {
    await using house = new House(place);
    const job = await house.queue().add("bare", undefined);
    expect(job.data).toEqual({});
  });

  test("X27: addBulk keeps the order", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const jobs = await queue.addBulk(Array.from({ length: 20 }, (_, n) => ({ name: "n", data: { n } })));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(20);
    const seen: number[] = [];
    house.worker(async (job) => void seen.push(job.data.n));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test("X27: addBulk takes options for each job", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.addBulk([
      { name: "now", data: {} },
      { name: "later", data: {}, opts: { delay: 60_000 } },
    ]);
    expect(await queue.getJobCounts("waiting", "delayed")).toEqual({ waiting: 1, delayed: 1 });
  });

  test("X27: defaultJobOptions go behind the job's own", async () => {
    await using house = new House(place);
    const queue = house.queue("work", { defaultJobOptions: { attempts: 3, delay: 60_000 } });
    const [one, other] = await Promise.all([queue.add("a", {}), queue.add("b", {}, { delay: 0 })]);
    expect(one?.opts.attempts).toBe(3);
    expect(other?.opts.attempts).toBe(3);
    expect(await queue.getJobCounts("waiting", "delayed")).toEqual({ waiting: 1, delayed: 1 });
  });

  test("X27: pause stops claims, resume lets them go on, isPaused tells", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.pause();
    expect(await queue.isPaused()).toBe(true);
    const ran: string[] = [];
    const worker = house.worker(async (job) => void ran.push(job.name));
    await worker.waitUntilReady();
    const job = await queue.add("held", {});
    expect(await job.getState()).toBe("waiting");
    await queue.resume();
    await job.waitUntilFinished(null, 10_000);
    expect(ran).toEqual(["held"]);
    expect(await queue.isPaused()).toBe(false);
  });

  test("X27: pause and resume are told on the queue itself", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const heard: string[] = [];
    queue.on("paused", () => heard.push("paused"));
    queue.on("resumed", () => heard.push("resumed"));
    await queue.pause();
    await queue.resume();
    expect(heard).toEqual(["paused", "resumed"]);
  });

  test("X27: waiting is told for each job added", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const heard: string[] = [];
    queue.on("waiting", (job) => heard.push(job.name));
    await queue.add("one", {});
    await queue.addBulk([
      { name: "two", data: {} },
      { name: "three", data: {} },
    ]);
    expect(heard).toEqual(["one", "two", "three"]);
  });

  test("X27: what a listener throws becomes an error event, and the call goes on", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const heard = next(queue, "error");
    queue.on("waiting", () => {
      throw new Error("listener broke");
    });
    await queue.add("a", {});
    expect(String((await heard)[0])).toContain("listener broke");
  });

  test("X27: getJobCounts and count tell what is where", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.addBulk([
      { name: "a", data: {} },
      { name: "b", data: {} },
      { name: "p", data: {}, opts: { priority: 3 } },
      { name: "d", data: {}, opts: { delay: 60_000 } },
    ]);
    expect(await queue.getJobCounts()).toEqual({
      active: 0,
      completed: 0,
      delayed: 1,
      failed: 0,
      prioritized: 0,
      waiting: 3,
      "waiting-children": 0,
    });
    expect(await queue.count()).toBe(4);
    expect(await queue.getJobCountByTypes("waiting", "delayed")).toBe(4);
    expect([await queue.getWaitingCount(), await queue.getDelayedCount()]).toEqual([3, 1]);
  });

  test("X27: getWaiting lists jobs with their data, by range", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: "n", data: { n } })));
    expect((await queue.getWaiting()).map(({ data }) => data.n)).toEqual([0, 1, 2, 3, 4]);
    expect((await queue.getWaiting(1, 2)).map(({ data }) => data.n)).toEqual([1, 2]);
    expect((await queue.getJobs(["wait"])).length).toBe(5);
  });

  test("X27: getPrioritized lists what waits with a priority", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.add("plain", {});
    const job = await queue.add("ranked", {}, { priority: 9 });
    expect((await queue.getPrioritized()).map(({ name }) => name)).toEqual(["ranked"]);
    expect(await job.getState()).toBe("prioritized");
  });

  test("X27: getFailed lists jobs with their reason and stack", async () => {
    await using house = new House(place);
    const queue = house.queue();
    house.worker(async () => {
      throw new Error("no paint left");
    });
    const job = await queue.add("paint", { colour: "red" });
    await inState(job, "failed");
    const [failed] = await queue.getFailed();
    expect(failed).toMatchObject({ id: job.id, name: "paint", data: { colour: "red" }, failedReason: "no paint left" });
    expect(failed?.stacktrace[0]).toContain("no paint left");
    expect(await queue.getFailedCount()).toBe(1);
  });

  test("X27: getJob reads a waiting, a delayed, a running, a completed and a failed job with all it was given", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const opts = { delay: 60_000, attempts: 2 };
    const [waiting, delayed] = [await queue.add("w", { n: 1 }), await queue.add("d", { n: 2 }, opts)];
    expect(await queue.getJob(waiting.id)).toMatchObject({ name: "w", data: { n: 1 }, id: waiting.id });
    expect(await queue.getJob(delayed.id)).toMatchObject({ name: "d", data: { n: 2 }, opts, delay: 60_000 });
    const begun = gate();
    const end = gate();
    house.worker(async () => {
      begun.open();
      await end.opened;
      return { done: true };
    });
    await within(begun.opened, "the job beginning");
    expect(await queue.getJob(waiting.id)).toMatchObject({ name: "w", data: { n: 1 }, attemptsMade: 0 });
    expect(await waiting.isActive()).toBe(true);
    end.open();
    await waiting.waitUntilFinished(null, 10_000);
    const completed = await queue.getJob(waiting.id);
    expect(completed).toMatchObject({ name: "w", data: { n: 1 }, returnvalue: { done: true }, attemptsMade: 1 });
    expect(completed?.finishedOn).toBeGreaterThanOrEqual(completed?.processedOn ?? Number.POSITIVE_INFINITY);
  });

  test("X27: getActive, getDelayed and getCompleted list jobs with their data", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.add("later", { n: 1 }, { delay: 60_000 });
    const done = await queue.add("done", { n: 2 });
    const [begun, end] = [gate(), gate()];
    house.worker(async (job) => {
      if (job.name === "done") return "well";
      begun.open();
      await end.opened;
      return null;
    });
    await done.waitUntilFinished(null, 10_000);
    await queue.add("now", { n: 3 });
    await begun.opened;
    expect((await queue.getDelayed()).map(({ data }) => data)).toEqual([{ n: 1 }]);
    expect((await queue.getActive()).map(({ data }) => data)).toEqual([{ n: 3 }]);
    expect(await queue.getCompleted()).toMatchObject([{ name: "done", data: { n: 2 }, returnvalue: "well" }]);
    expect(await queue.getJobs(["active", "delayed", "completed"])).toHaveLength(3);
    end.open();
  });

  test("X27: drain(true) takes delayed jobs, too", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.add("later", {}, { delay: 60_000 });
    await queue.add("now", {});
    await queue.drain(true);
    expect(await queue.count()).toBe(0);
  });

  test("X27: getJob finds nothing for an id nobody made", async () => {
    await using house = new House(place);
    const queue = house.queue();
    expect(await queue.getJob("17")).toBeUndefined();
    expect(await queue.getJobState("17")).toBe("unknown");
  });

  test("X27: remove takes a waiting or delayed job out for good", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const [one, other] = [await queue.add("a", {}), await queue.add("b", {}, { delay: 60_000 })];
    expect(await queue.remove(one.id)).toBe(1);
    await other.remove();
    expect(await queue.getJob(one.id)).toBeUndefined();
    expect(await other.getState()).toBe("unknown");
    expect(await queue.count()).toBe(0);
    expect(await queue.remove(one.id)).toBe(0);
  });

  test("X27: a running job is not removed, a finished one is refused with the way to say it", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const end = gate();
    const begun = gate();
    house.worker(async () => {
      begun.open();
      await end.opened;
    });
    const job = await queue.add("a", {});
    await begun.opened;
    expect(isMillraceError(await refusal(() => job.remove()), "MR_APP_STATE")).toBe(true);
    end.open();
    await job.waitUntilFinished(null, 10_000);
    const refused = await refusal(() => job.remove());
    expect(isMillraceError(refused, "MR_COMPAT_UNSUPPORTED")).toBe(true);
    expect(refused.message).toContain("removeOnComplete");
  });

  test("X27: drain empties what waits and leaves what is delayed", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.addBulk(Array.from({ length: 30 }, (_, n) => ({ name: "n", data: { n } })));
    await queue.add("later", {}, { delay: 60_000 });
    await queue.drain();
    expect(await queue.getJobCounts("waiting", "delayed")).toEqual({ waiting: 0, delayed: 1 });
  });

  test("X27: retryJobs runs every failed job again", async () => {
    await using house = new House(place);
    const queue = house.queue();
    let isBroken = true;
    house.worker(async () => {
      if (isBroken) throw new Error("not yet");
      return "well";
    });
    const jobs = await queue.addBulk([
      { name: "a", data: {} },
      { name: "b", data: {} },
    ]);
    for (const job of jobs) await inState(job, "failed");
    isBroken = false;
    await queue.retryJobs();
    for (const job of jobs) expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
  });

  test("X27: two Queues of one name in one process are one queue", async () => {
    await using house = new House(place);
    const [one, other] = [house.queue(), house.queue()];
    await one.add("a", {});
    expect(await other.count()).toBe(1);
    await one.close();
    expect(await other.count()).toBe(1);
    expect(isMillraceError(await refusal(() => one.add("b", {})), "MR_APP_CLOSED")).toBe(true);
  });

  test("X27: queues of different prefixes do not meet", async () => {
    await using house = new House(place);
    const [one, other] = [house.queue(), house.queue("work", { prefix: `${house.prefix}x` })];
    await one.add("a", {});
    expect(await other.count()).toBe(0);
  });

  test("X27: closing twice is the same as once", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.waitUntilReady();
    await Promise.all([queue.close(), queue.close()]);
  });

  test("X27: a job as JSON has its fields and no machinery", async () => {
    await using house = new House(place);
    const job = await house.queue().add("a", { n: 1 }, { attempts: 2 });
    const json = JSON.parse(JSON.stringify(job));
    expect(json).toMatchObject({ id: job.id, name: "a", data: { n: 1 }, opts: { attempts: 2 }, attemptsMade: 0 });
  });
});

/** What a BullMQ program expects of a Worker, in our own words, on memory and on Redis. */
import { isMillraceError } from "@millrace/core";
import {
  DelayedError,
  type Job,
  Queue,
  RateLimitError,
  UnrecoverableError,
  WaitingError,
  Worker,
} from "@millrace/core/compat/bullmq";
import { describe, expect, test } from "vitest";
import { poll, within } from "../../helper/wait.js";
import { gate, House, inState, next, places, refusal } from "./house.js";

describe.each(places)("X27: a Worker on $label", (place) => {
  test("X27: the processor gets job and token, and its answer is the result", async () => {
    await using house = new House(place);
    const tokens: unknown[] = [];
    house.worker(async (job, token) => {
      tokens.push(token, job.token);
      return { sum: job.data.a + job.data.b };
    });
    const job = await house.queue().add("add", { a: 2, b: 3 });
    expect(await job.waitUntilFinished(null, 10_000)).toEqual({ sum: 5 });
    expect(tokens[0]).toBeTypeOf("string");
    expect(tokens[1]).toBe(tokens[0]);
  });

  test("X27: a processor that answers nothing leaves null", async () => {
    await using house = new House(place);
    house.worker(async () => undefined);
    const job = await house.queue().add("a", {});
    expect(await job.waitUntilFinished(null, 10_000)).toBeNull();
  });

  test("X27: jobs run first come, first served", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const order: number[] = [];
    const jobs: Job[] = [];
    for (let n = 0; n < 10; n++) jobs.push(await queue.add("n", { n }));
    house.worker(async (job) => void order.push(job.data.n));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("X27: concurrency is one unless said otherwise", async () => {
    await using house = new House(place);
    let [active, most] = [0, 0];
    house.worker(async () => {
      most = Math.max(most, ++active);
      await null;
      active--;
    });
    const jobs = await house.queue().addBulk(Array.from({ length: 20 }, () => ({ name: "a", data: {} })));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(most).toBe(1);
  });

  test("X27: concurrency lets so many run at once, and no more", async () => {
    await using house = new House(place);
    let [active, most] = [0, 0];
    const all = gate();
    house.worker(
      async () => {
        most = Math.max(most, ++active);
        if (active === 5) all.open();
        await all.opened;
        active--;
      },
      { concurrency: 5 },
    );
    const jobs = await house.queue().addBulk(Array.from({ length: 20 }, () => ({ name: "a", data: {} })));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(most).toBe(5);
  });

  test("X27: concurrency can be changed while it runs", async () => {
    await using house = new House(place);
    let active = 0;
    const end = gate();
    const three = gate();
    const worker = house.worker(async () => {
      if (++active === 3) three.open();
      await end.opened;
    });
    const jobs = await house.queue().addBulk(Array.from({ length: 3 }, () => ({ name: "a", data: {} })));
    await poll(() => (active === 1 ? true : null), "the first job beginning");
    worker.concurrency = 3;
    await within(three.opened, "three jobs at once");
    end.open();
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
  });

  test("X27: two Workers of one process share the jobs of their queue", async () => {
    await using house = new House(place);
    const [one, other] = [gate(), gate()];
    const byOther: string[] = [];
    house.worker(async () => {
      one.open();
      await other.opened;
    });
    house.worker(async (job) => {
      byOther.push(job.id);
      other.open();
      await one.opened;
    });
    const jobs = await house.queue().addBulk([
      { name: "a", data: {} },
      { name: "b", data: {} },
    ]);
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(byOther).toHaveLength(1);
  });

  test("X27: without autorun nothing runs until run is called", async () => {
    await using house = new House(place);
    const ran: string[] = [];
    const worker = house.worker(async (job) => void ran.push(job.name), { autorun: false });
    await worker.waitUntilReady();
    const job = await house.queue().add("a", {});
    expect(worker.isRunning()).toBe(false);
    expect(await job.getState()).toBe("waiting");
    const ended = worker.run();
    await job.waitUntilFinished(null, 10_000);
    expect(worker.isRunning()).toBe(true);
    expect(isMillraceError(await refusal(() => worker.run()), "MR_APP_STATE")).toBe(true);
    await worker.close();
    await within(ended, "run resolving when the Worker is closed");
  });

  test("X27: ready, active, completed and drained are told, in this order", async () => {
    await using house = new House(place);
    const heard: string[] = [];
    const worker = house.worker(async () => "well");
    const drained = next(worker, "drained");
    worker.on("ready", () => heard.push("ready"));
    worker.on("active", (job, prev) => heard.push(`active ${job.name} from ${prev}`));
    worker.on("completed", (job, result, prev) => heard.push(`completed ${job.name}: ${result} from ${prev}`));
    await house.queue().add("a", {});
    await within(drained, "drained");
    expect(heard).toEqual(["ready", "active a from waiting", "completed a: well from active"]);
  });

  test("X27: completed comes after the store has it, with the job's result and times", async () => {
    await using house = new House(place);
    const worker = house.worker(async () => 42);
    const completed = next(worker, "completed");
    const added = await house.queue().add("a", {});
    const [job] = await within(completed, "completed");
    expect(job).toMatchObject({ id: added.id, returnvalue: 42, attemptsMade: 1 });
    expect(job.finishedOn).toBeGreaterThanOrEqual(job.processedOn);
    expect(await added.getState()).toBe("completed");
  });

  test("X27: a processor that throws fails its job: reason, stack, event", async () => {
    await using house = new House(place);
    const thrown = new Error("out of paint");
    const worker = house.worker(async () => {
      throw thrown;
    });
    const failed = next(worker, "failed");
    const added = await house.queue().add("a", {});
    const [job, error, prev] = await within(failed, "failed");
    expect(error).toBe(thrown);
    expect(prev).toBe("active");
    expect(job).toMatchObject({ id: added.id, failedReason: "out of paint", attemptsMade: 1 });
    await inState(added, "failed");
    expect((await refusal(() => added.waitUntilFinished(null, 10_000))).message).toBe("out of paint");
  });

  test("X27: what is thrown and is no error still fails the job", async () => {
    await using house = new House(place);
    house.worker(async () => {
      // biome-ignore lint/style/useThrowOnlyError: programs do
      throw "just a text";
    });
    const job = await house.queue().add("a", {});
    expect((await refusal(() => job.waitUntilFinished(null, 10_000))).message).toBe("just a text");
  });

  test("X27: attempts are tries in all, and attemptsMade counts them", async () => {
    await using house = new House(place);
    const made: number[] = [];
    house.worker(async (job) => {
      made.push(job.attemptsMade);
      if (made.length < 3) throw new Error("again");
      return "at last";
    });
    const job = await house.queue().add("a", {}, { attempts: 3 });
    expect(await job.waitUntilFinished(null, 10_000)).toBe("at last");
    expect(made).toEqual([0, 1, 2]);
    expect(await house.queue().getJob(job.id)).toMatchObject({ attemptsMade: 3 });
  });

  test("X27: a job without attempts is tried once", async () => {
    await using house = new House(place);
    let tries = 0;
    house.worker(async () => {
      tries++;
      throw new Error("no");
    });
    const job = await house.queue().add("a", {});
    await inState(job, "failed");
    expect(tries).toBe(1);
  });

  test("X27: failed is told for every failed try", async () => {
    await using house = new House(place);
    const worker = house.worker(async () => {
      throw new Error("no");
    });
    const made: number[] = [];
    worker.on("failed", (job) => void made.push(job?.attemptsMade ?? 0));
    const job = await house.queue().add("a", {}, { attempts: 3 });
    await inState(job, "failed");
    await poll(() => (made.length === 3 ? true : null), "three failed events");
    expect(made).toEqual([1, 2, 3]);
  });

  test("X27: a fixed backoff waits between tries, as delayed", async () => {
    await using house = new House(place);
    const at: number[] = [];
    house.worker(async () => {
      at.push(performance.now());
      if (at.length === 1) throw new Error("again");
    });
    const job = await house.queue().add("a", {}, { attempts: 2, backoff: { type: "fixed", delay: 150 } });
    await inState(job, "delayed");
    await job.waitUntilFinished(null, 10_000);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(145);
  });

  test("X27: a number is a fixed backoff", async () => {
    await using house = new House(place);
    const at: number[] = [];
    house.worker(async () => {
      at.push(performance.now());
      if (at.length === 1) throw new Error("again");
    });
    const job = await house.queue().add("a", {}, { attempts: 2, backoff: 100 });
    await job.waitUntilFinished(null, 10_000);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(95);
  });

  test("X27: an exponential backoff doubles", async () => {
    await using house = new House(place);
    const at: number[] = [];
    house.worker(async () => {
      at.push(performance.now());
      if (at.length < 3) throw new Error("again");
    });
    const job = await house.queue().add("a", {}, { attempts: 3, backoff: { type: "exponential", delay: 60 } });
    await job.waitUntilFinished(null, 10_000);
    const [a = 0, b = 0, c = 0] = at;
    expect(b - a).toBeGreaterThanOrEqual(55);
    expect(c - b).toBeGreaterThanOrEqual(115);
  });

  test("X27: a backoff of the program's own is asked with the try, its type, the error and the job", async () => {
    await using house = new House(place);
    const asked: unknown[] = [];
    let tries = 0;
    house.worker(
      async () => {
        if (++tries === 1) throw new Error("again");
      },
      {
        settings: {
          backoffStrategy: async (attemptsMade, type, error, job) => {
            asked.push(attemptsMade, type, error?.message, job.name);
            return 1;
          },
        },
      },
    );
    const job = await house.queue().add("a", {}, { attempts: 2, backoff: { type: "mine" } });
    await job.waitUntilFinished(null, 10_000);
    expect(asked).toEqual([1, "mine", "again", "a"]);
  });

  test("X27: a backoff of -1 ends the job", async () => {
    await using house = new House(place);
    let tries = 0;
    house.worker(
      async () => {
        tries++;
        throw new Error("never mind");
      },
      { settings: { backoffStrategy: () => -1 } },
    );
    const job = await house.queue().add("a", {}, { attempts: 5, backoff: { type: "mine" } });
    await inState(job, "failed");
    expect(tries).toBe(1);
  });

  test("X27: a backoff type nobody knows ends the job with the way to say it", async () => {
    await using house = new House(place);
    house.worker(async () => {
      throw new Error("first");
    });
    const job = await house.queue().add("a", {}, { attempts: 5, backoff: { type: "mine" } });
    expect((await refusal(() => job.waitUntilFinished(null, 10_000))).message).toContain("settings.backoffStrategy");
  });

  test("X27: UnrecoverableError fails at once, attempts left or not", async () => {
    await using house = new House(place);
    let tries = 0;
    house.worker(async () => {
      tries++;
      throw new UnrecoverableError("bad input");
    });
    const job = await house.queue().add("a", {}, { attempts: 5 });
    expect((await refusal(() => job.waitUntilFinished(null, 10_000))).message).toBe("bad input");
    expect(tries).toBe(1);
  });

  test("X27: an UnrecoverableError of another package is recognised by its name", async () => {
    await using house = new House(place);
    let tries = 0;
    house.worker(async () => {
      tries++;
      throw Object.assign(new Error("bad input"), { name: "UnrecoverableError" });
    });
    const job = await house.queue().add("a", {}, { attempts: 5 });
    await inState(job, "failed");
    expect(tries).toBe(1);
  });

  test("X27: moveToDelayed and DelayedError bring the job again then, no attempt spent", async () => {
    await using house = new House(place);
    const at: number[] = [];
    const made: number[] = [];
    house.worker(async (job, token) => {
      at.push(Date.now());
      made.push(job.attemptsMade);
      if (at.length > 1) return "well";
      await job.moveToDelayed(Date.now() + 150, token);
      throw new DelayedError();
    });
    const job = await house.queue().add("a", {});
    expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(145);
    expect(made).toEqual([0, 0]);
  });

  test("X27: moveToWait and WaitingError bring the job again at once", async () => {
    await using house = new House(place);
    let tries = 0;
    house.worker(async (job, token) => {
      if (++tries > 1) return "well";
      await job.moveToWait(token);
      throw new WaitingError();
    });
    const job = await house.queue().add("a", {});
    expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
  });

  test("X27: rateLimit and RateLimitError hold this Worker's jobs back, no attempt spent", async () => {
    await using house = new House(place);
    const at: number[] = [];
    const worker = house.worker(async (job) => {
      at.push(performance.now());
      if (at.length > 1) return job.attemptsMade;
      await worker.rateLimit(200);
      throw at.length === 1 ? Worker.RateLimitError() : new RateLimitError();
    });
    const jobs = await house.queue().addBulk([
      { name: "a", data: {} },
      { name: "b", data: {} },
    ]);
    for (const job of jobs) expect(await job.waitUntilFinished(null, 10_000)).toBe(0);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(190);
  });

  test("X27: rateLimit of a queue holds all of its jobs back, until it is over or taken back", async () => {
    await using house = new House(place);
    const queue = house.queue();
    expect(await queue.getRateLimitTtl()).toBe(0);
    await queue.rateLimit(60_000);
    let ranAt = 0;
    house.worker(async () => {
      ranAt = performance.now();
    });
    const job = await queue.add("a", {}, { delay: 50 });
    await job.waitUntilFinished(null, 300).catch(() => undefined);
    expect(ranAt).toBe(0);
    expect(await queue.getRateLimitTtl()).toBeGreaterThan(50_000);
    expect(await queue.removeRateLimitKey()).toBe(1);
    await job.waitUntilFinished(null, 10_000);
    await queue.rateLimit(150);
    const before = performance.now();
    await (await queue.add("b", {})).waitUntilFinished(null, 10_000);
    expect(ranAt - before).toBeGreaterThanOrEqual(140);
  });

  test("X27: limiter lets so many jobs begin in a time, whoever added them and however", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const jobs = await queue.addBulk([
      ...[1, 2, 3, 4].map((n) => ({ name: "a", data: { n } })),
      { name: "keyed", data: {}, opts: { jobId: "mine" } },
      { name: "first", data: {}, opts: { priority: 1 } },
    ]);
    const at: number[] = [];
    const before = performance.now();
    house.worker(async () => void at.push(performance.now()), {
      concurrency: 10,
      limiter: { max: 2, duration: 400 },
    });
    for (const job of jobs) await job.waitUntilFinished(null, 10_000);
    expect(at).toHaveLength(6);
    // Two at once, then one every 200 ms. They are claimed so; the first of them may begin later than it was claimed.
    expect((at[5] ?? 0) - before).toBeGreaterThanOrEqual(4 * 200 - 10);
  });

  test("X27: setGlobalConcurrency bounds what runs at once over all Workers; it stays until it is removed", async () => {
    await using house = new House(place);
    const queue = house.queue();
    expect(await queue.getGlobalConcurrency()).toBeNull();
    await queue.setGlobalConcurrency(2);
    expect(await queue.getGlobalConcurrency()).toBe(2);
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const work = async () => {
      running++;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    };
    house.worker(work, { concurrency: 3 });
    house.worker(work, { concurrency: 3 });
    const jobs = await queue.addBulk(Array.from({ length: 9 }, (_, n) => ({ name: "a", data: { n } })));
    await poll(() => (running === 2 ? true : null), "two run");
    expect(await queue.isMaxed()).toBe(true);
    for (let done = 0; done < 3; done++) {
      ends.shift()?.();
      await poll(() => (ends.length === 2 ? true : null), "the next one runs");
    }
    expect(most).toBe(2);
    await queue.removeGlobalConcurrency();
    expect(await queue.getGlobalConcurrency()).toBeNull();
    await poll(() => (running === 6 ? true : null), "six run");
    const end = setInterval(() => {
      for (const one of ends.splice(0)) one();
    }, 5);
    for (const job of jobs) await job.waitUntilFinished(null, 10_000);
    clearInterval(end);
  });

  test("X27: setGlobalRateLimit bounds how many begin, for Workers without a limiter, too", async () => {
    await using house = new House(place);
    const queue = house.queue();
    await queue.setGlobalRateLimit(2, 400);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 2, duration: 400 });
    const at: number[] = [];
    house.worker(async () => void at.push(performance.now()), { concurrency: 10 });
    const before = performance.now();
    const jobs = await queue.addBulk([1, 2, 3, 4].map((n) => ({ name: "a", data: { n } })));
    for (const job of jobs) await job.waitUntilFinished(null, 10_000);
    expect((at[3] ?? 0) - before).toBeGreaterThanOrEqual(2 * 200 - 10);
    await queue.removeGlobalRateLimit();
    expect(await queue.getGlobalRateLimit()).toBeNull();
  });

  test("X27: delay holds a job back", async () => {
    await using house = new House(place);
    let ranAt = 0;
    house.worker(async () => {
      ranAt = performance.now();
    });
    const before = performance.now();
    const job = await house.queue().add("a", {}, { delay: 200 });
    expect(job.delay).toBe(200);
    expect(await job.isDelayed()).toBe(true);
    await job.waitUntilFinished(null, 10_000);
    expect(ranAt - before).toBeGreaterThanOrEqual(195);
  });

  test("X27: a delay counts from the job's own timestamp", async () => {
    await using house = new House(place);
    house.worker(async () => "well");
    const job = await house.queue().add("a", {}, { delay: 60_000, timestamp: Date.now() - 60_000 });
    expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
  });

  test("X27: priorities: none first, then smaller numbers, first come among equals", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const wanted: [string, number | undefined][] = [
      ["ten", 10],
      ["one", 1],
      ["none", undefined],
      ["last", 2_097_152],
      ["two", 2],
      ["two again", 2],
      ["thousand", 1000],
    ];
    const jobs: Job[] = [];
    for (const [name, priority] of wanted) {
      jobs.push(await queue.add(name, {}, priority === undefined ? undefined : { priority }));
    }
    const order: string[] = [];
    house.worker(async (job) => void order.push(job.name));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(null, 10_000)));
    expect(order).toEqual(["none", "one", "two", "two again", "ten", "thousand", "last"]);
  });

  test("X27: progress is told to the Worker's listeners and kept with the job", async () => {
    await using house = new House(place);
    const heard: unknown[] = [];
    const worker = house.worker(async (job) => {
      await job.updateProgress(25);
      await job.updateProgress({ step: "drying", layers: [1, 2] });
    });
    worker.on("progress", (_job, progress) => heard.push(progress));
    const queue = house.queue();
    const job = await queue.add("a", {});
    await job.waitUntilFinished(null, 10_000);
    expect(heard).toEqual([25, { step: "drying", layers: [1, 2] }]);
    expect((await queue.getJob(job.id))?.progress).toEqual({ step: "drying", layers: [1, 2] });
  });

  test("X27: a job's retry runs it again with all its attempts", async () => {
    await using house = new House(place);
    let isBroken = true;
    let tries = 0;
    house.worker(async () => {
      tries++;
      if (isBroken) throw new Error("no");
      return "well";
    });
    const job = await house.queue().add("a", {}, { attempts: 2 });
    await inState(job, "failed");
    isBroken = false;
    await job.retry();
    expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
    expect(tries).toBe(3);
    expect(isMillraceError(await refusal(() => job.retry()), "MR_ILLEGAL_TRANSITION")).toBe(true);
  });

  test("X27: a paused Worker lets its job finish and takes no other until it is resumed", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const [begun, end] = [gate(), gate()];
    const ran: string[] = [];
    const worker = house.worker(async (job) => {
      ran.push(job.name);
      begun.open();
      if (job.name === "first") await end.opened;
    });
    const first = await queue.add("first", {});
    await begun.opened;
    const paused = worker.pause();
    const second = await queue.add("second", {});
    end.open();
    await within(paused, "the pause");
    await first.waitUntilFinished(null, 10_000);
    expect(worker.isPaused()).toBe(true);
    await inState(second, "waiting");
    // Not taken and handed back again and again, either.
    const states = new Set<string>();
    for (let look = 0; look < 100; look++) states.add(await second.getState());
    expect([...states]).toEqual(["waiting"]);
    expect(ran).toEqual(["first"]);
    worker.resume();
    await second.waitUntilFinished(null, 10_000);
    expect(worker.isPaused()).toBe(false);
  });

  test("X27: pause(true) does not wait for what runs", async () => {
    await using house = new House(place);
    const [begun, end] = [gate(), gate()];
    const worker = house.worker(async () => {
      begun.open();
      await end.opened;
    });
    const job = await house.queue().add("a", {});
    await begun.opened;
    await within(worker.pause(true), "the pause", 2_000);
    expect(await job.getState()).toBe("active");
    end.open();
    await job.waitUntilFinished(null, 10_000);
  });

  test("X27: close waits for what runs, and leaves the rest to others", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const [begun, end] = [gate(), gate()];
    const worker = house.worker(async () => {
      begun.open();
      await end.opened;
      return "well";
    });
    const heard: string[] = [];
    worker.on("closing", () => heard.push("closing"));
    worker.on("closed", () => heard.push("closed"));
    const [first, second] = await queue.addBulk([
      { name: "a", data: {} },
      { name: "b", data: {} },
    ]);
    await begun.opened;
    const closed = worker.close();
    end.open();
    await closed;
    expect(heard).toEqual(["closing", "closed"]);
    expect(await first?.getState()).toBe("completed");
    expect(await second?.getState()).toBe("waiting");
  });

  test("X27: close(true) gives running jobs back without spending an attempt", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const begun = gate();
    const worker = house.worker(async (_job, _token, signal) => {
      begun.open();
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      throw new Error("aborted");
    });
    const job = await queue.add("a", {});
    await begun.opened;
    await within(worker.close(true), "the close");
    expect(await job.getState()).toBe("waiting");
    house.worker(async (again) => again.attemptsMade);
    expect(await job.waitUntilFinished(null, 10_000)).toBe(0);
  });

  test("X27: cancelJob fires the signal of a processor that takes it", async () => {
    await using house = new House(place);
    const begun = gate();
    const worker = house.worker(async (_job, _token, signal) => {
      begun.open();
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      throw new UnrecoverableError("told to end");
    });
    const job = await house.queue().add("a", {});
    await begun.opened;
    expect(worker.cancelJob(job.id, "enough")).toBe(true);
    expect(worker.cancelJob("nobody")).toBe(false);
    expect((await refusal(() => job.waitUntilFinished(null, 10_000))).message).toBe("told to end");
  });

  test("X27: removeOnComplete of the Worker is for jobs that say nothing", async () => {
    await using house = new House(place);
    const worker = house.worker(async () => "well", { removeOnComplete: { age: 3600 } });
    await worker.waitUntilReady();
    const job = await house.queue().add("a", {});
    expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
    const late = await refusal(() => house.worker(async () => null, { removeOnComplete: { age: 60 } }));
    expect(isMillraceError(late, "MR_COMPAT_UNSUPPORTED")).toBe(true);
  });

  test("X27: removeOnComplete and removeOnFail let a finished job go", async () => {
    await using house = new House(place);
    const queue = house.queue();
    house.worker(async (job) => {
      if (job.name === "bad") throw new Error("no");
    });
    const jobs = [
      await queue.add("good", {}, { removeOnComplete: true }),
      await queue.add("bad", {}, { removeOnFail: true }),
      await queue.add("kept", {}, { removeOnComplete: { age: 3600 } }),
    ];
    await poll(
      async () => {
        const states = await Promise.all(jobs.map((job) => job.getState()));
        return states.join() === "unknown,unknown,completed" ? true : null;
      },
      "two jobs gone and one kept",
      30_000,
    );
  });

  test("X27: waitUntilFinished gives up after its time, and the job goes on", async () => {
    await using house = new House(place);
    const job = await house.queue().add("a", {});
    expect(isMillraceError(await refusal(() => job.waitUntilFinished(null, 50)), "MR_WAIT_TIMEOUT")).toBe(true);
    house.worker(async () => "well");
    expect(await job.waitUntilFinished(null, 10_000)).toBe("well");
  });

  test("X27: data and result keep dates, bigints and bytes, where JSON would not", async () => {
    await using house = new House(place);
    const data = { at: new Date(5), big: 10n ** 20n, bytes: new Uint8Array([1, 2]) };
    house.worker(async (job) => job.data);
    const job = await house.queue().add("a", data);
    expect(await job.waitUntilFinished(null, 10_000)).toEqual(data);
  });

  test("X27: types of data, result and name are the program's", async () => {
    await using house = new House(place);
    const options = { ...place.options(), prefix: house.prefix };
    const queue = new Queue<{ n: number }, string, "twice">("typed", options);
    const worker = new Worker<{ n: number }, string, "twice">("typed", async (job) => String(2 * job.data.n), options);
    const job = await queue.add("twice", { n: 21 });
    const result: string = await job.waitUntilFinished(null, 10_000);
    expect(result).toBe("42");
    await worker.close();
    await queue.close();
  });
});

/** The row of the BullMQ door on every kind of store; what else it does is in test/integration/bullmq. */
import { Queue, QueueEvents, Worker } from "@millrace/core/compat/bullmq";
import { expect, it } from "vitest";
import type { Place } from "../helper/places.js";
import { poll } from "../helper/wait.js";

/** Declares it on one kind of store. */
export function doorRows({ fresh }: Place): void {
  it("X27: a BullMQ program's jobs run by priority, with retries, delays and events", async () => {
    const { store = "", id = "rows" } = await fresh();
    const options = { store: store as string, prefix: id }; // a place has one URL
    const queue = new Queue("work", options);
    const events = new QueueEvents("work", options);
    const heard: string[] = [];
    events.on("completed", ({ jobId }: { jobId: string }) => heard.push(jobId));
    const ran: string[] = [];
    const low = await queue.add("low", {}, { priority: 10 });
    const high = await queue.add("high", {}, { priority: 1 });
    const late = await queue.add("late", {}, { delay: 60 });
    const flaky = await queue.add("flaky", {}, { attempts: 2, backoff: 1 });
    const worker = new Worker(
      "work",
      async (job) => {
        ran.push(job.name);
        if (job.name === "flaky" && job.attemptsMade === 0) throw new Error("told to");
        return job.name;
      },
      options,
    );
    try {
      const jobs = [low, high, late, flaky];
      const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 10_000)));
      expect(results).toEqual(["low", "high", "late", "flaky"]);
      expect(ran.slice(0, 2)).toEqual(["flaky", "high"]);
      expect(ran.filter((name) => name === "flaky")).toHaveLength(2);
      await poll(() => (heard.length === jobs.length ? true : null), "every job's end in the events");
      expect(heard.toSorted()).toEqual(jobs.map((job) => job.id).toSorted());
    } finally {
      await worker.close();
      await events.close();
      await queue.close();
    }
  });
}

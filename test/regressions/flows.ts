/** Parents and children, through the BullMQ door: what there is of graphs so far. */
import { FlowProducer, Queue, Worker } from "@millrace/core/compat/bullmq";
import { expect, it } from "vitest";
import type { Place } from "../helper/places.js";

/** Declares them on one kind of store. */
export function flowRegressions({ fresh }: Place): void {
  it("regression: two last children race, and their parent is stuck", async () => {
    const { store = "", id = "paid" } = await fresh();
    const options = { store: store as string, prefix: id }; // a place has one URL
    const runs = new Map<string, number>();
    const worker = new Worker(
      "work",
      async (job) => {
        runs.set(job.name, (runs.get(job.name) ?? 0) + 1);
        await new Promise((resolve) => setImmediate(resolve));
      },
      { ...options, concurrency: 16 },
    );
    const flows = new FlowProducer(options);
    try {
      const queueName = "work";
      const trees = await flows.addBulk(
        Array.from({ length: 40 }, (_, n) => ({
          name: `parent ${n}`,
          queueName,
          children: ["a", "b", "c"].map((child) => ({ name: `${child} ${n}`, queueName })),
        })),
      );
      await Promise.all(trees.map(({ job }) => job.waitUntilFinished(null, 20_000)));
      expect(runs.size).toBe(160);
      expect([...runs.values()].filter((count) => count !== 1)).toEqual([]);
    } finally {
      await flows.close();
      await worker.close();
    }
  });

  it("regression: a retry re-runs healthy branches", async () => {
    const { store = "", id = "paid" } = await fresh();
    const options = { store: store as string, prefix: id }; // a place has one URL
    const runs: string[] = [];
    const worker = new Worker(
      "work",
      async (job) => {
        runs.push(job.name);
        if (job.name === "bad" && job.attemptsMade < 2) throw new Error("told to");
      },
      { ...options, concurrency: 4 },
    );
    const queue = new Queue("work", options);
    const flows = new FlowProducer(options);
    try {
      const queueName = "work";
      const { job } = await flows.add({
        name: "parent",
        queueName,
        children: [
          { name: "good", queueName },
          { name: "bad", queueName, opts: { attempts: 3, backoff: 1 } },
          { name: "fine", queueName },
        ],
      });
      await job.waitUntilFinished(null, 20_000);
      expect(runs.toSorted()).toEqual(["bad", "bad", "bad", "fine", "good", "parent"]);
    } finally {
      await flows.close();
      await queue.close();
      await worker.close();
    }
  });
}

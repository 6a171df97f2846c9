/** Rows about what a caller may ask for beside the run itself: how durable an acknowledgement is, batches. */
import { isMillraceError } from "@millrace/core";
import { expect, it } from "vitest";
import type { Place } from "../helper/places.js";
import { stage } from "./stage.js";

/** What each place of the tests reaches by itself, and what it can be asked for beyond that. The servers keep no AOF. */
const levels: Readonly<Record<string, { readonly own: string; readonly beyond: boolean }>> = {
  memory: { own: "memory", beyond: false },
  embedded: { own: "aof", beyond: true },
  Redis: { own: "memory", beyond: false },
  Cluster: { own: "memory", beyond: false },
};

/** Declares them on one kind of store. */
export function promiseRows({ name, fresh }: Place): void {
  const open = stage();

  it("X9: a receipt states what was reached; more than can be reached is refused, and nothing is stored", async () => {
    const app = open(await fresh());
    const work = app.step("work", async (n: number) => n);
    const { own, beyond } = levels[name] ?? { own: "", beyond: false };
    expect((await work.enqueue(1)).receipt).toMatchObject({ durability: own, deduplicated: false });
    expect((await work.enqueue(2, { durability: "memory" })).receipt).toMatchObject({ durability: own });
    const flushed = await work.enqueue(3, { durability: "flushed" }).then(
      ({ receipt }) => receipt.durability,
      (error: unknown) => (isMillraceError(error) ? error.code : String(error)),
    );
    expect(flushed).toBe(beyond ? "flushed" : "MR_DURABILITY_UNAVAILABLE");
    expect(await app.queue("async").counts()).toMatchObject({ ready: beyond ? 3 : 2 });
  });

  it("X15: of a batch of a hundred with a bad one ninety-nine are done, in one call", async () => {
    const app = open(await fresh());
    const calls: number[] = [];
    const work = app.batchStep(
      "work",
      { batch: { maxSize: 100, wait: "2s" }, retries: 0 },
      async (inputs: readonly number[]) => {
        calls.push(inputs.length);
        return inputs.map((n) => (n === 42 ? new RangeError(`bad ${n}`) : n * 2));
      },
    );
    const { handles } = await app.enqueueMany(
      work,
      Array.from({ length: 100 }, (_, n) => n),
    );
    await app.start();
    const good = handles.flatMap((handle) => (handle instanceof Error ? [] : [handle]));
    const ends = await app.gather(good, { settle: true, timeout: "10s" });
    expect(ends).toHaveLength(100);
    for (const [n, end] of ends.entries()) {
      if (n === 42) expect(end).toMatchObject({ state: "failed", error: { name: "RangeError", message: "bad 42" } });
      else expect(end).toEqual({ state: "completed", value: n * 2 });
    }
    expect(calls).toEqual([100]);
  });
}

/** Keys of users that meet each other, or the ids of Millrace. */
import { expect, it } from "vitest";
import type { Place } from "../helper/places.js";
import { door, stage } from "../rows/stage.js";

/** Declares them on one kind of store. */
export function keyRegressions({ fresh }: Place): void {
  const open = stage();

  it("regression: a dedupe lock is stuck, or of the wrong scope", async () => {
    const app = open({ ...(await fresh()), workers: { asyncWorkers: 1, slots: 4 } });
    const inside = door();
    const dedupe = { key: () => "one" };
    const work = app.step("work", { dedupe, retries: 0 }, async (how: string, { abort }) => {
      if (how === "fail") throw new Error("told to");
      if (how !== "cancel") return how;
      inside.open();
      return await new Promise<never>((_, reject) =>
        abort.addEventListener("abort", () => reject(abort.reason as Error)),
      );
    });
    const other = app.step("other", { dedupe }, async (how: string) => `other ${how}`);
    const waits = await work.enqueue("waits", { delay: "1h" });
    // The same word as key of another Step is another key.
    await app.start();
    expect(await app.run(other, "runs")).toBe("other runs");
    expect((await work.enqueue("again")).id).toBe(waits.id);
    await waits.cancel();
    const ends: readonly (readonly [string, string])[] = [
      ["ok", "completed"],
      ["fail", "failed"],
      ["cancel", "cancelled"],
      ["ok", "completed"],
    ];
    for (const [how, state] of ends) {
      const handle = await work.enqueue(how);
      expect(handle.receipt.deduplicated).toBe(false);
      if (how === "cancel") {
        await inside.passed;
        await handle.cancel();
      }
      expect((await handle.wait({ timeout: "10s" })).state).toBe(state);
    }
    // A person's delete, too.
    const last = await work.enqueue("fail");
    await last.wait({ timeout: "10s" });
    await app.inspect.delete("state:failed").done();
    expect(await app.run(work, "ok")).toBe("ok");
  });

  it("regression: debounce and order lock each other", async () => {
    const app = open(await fresh());
    const ran: string[] = [];
    const key = (text: string) => text.slice(0, 1);
    const save = app.step("save", { debounce: { key, wait: "40ms" }, order: key }, async (text: string) => {
      ran.push(text);
    });
    await app.start();
    const handles = [];
    for (let round = 1; round <= 3; round++) {
      for (const text of ["a", "b"])
        for (let n = 1; n <= 3; n++) handles.push(await save.enqueue(`${text}${round}.${n}`));
      await Promise.all(handles.map((handle) => handle.wait({ timeout: "10s" })));
    }
    for (const name of ["a", "b"]) {
      expect(ran.filter((text) => text.startsWith(name))).toEqual([1, 2, 3].map((round) => `${name}${round}.3`));
    }
  });

  it("regression: a custom id meets a generated id", async () => {
    const app = open(await fresh());
    const work = app.step("work", { dedupe: { key: "key" } }, async ({ n }: { key: string; n: number }) => n);
    const plain = app.step("plain", async (n: number) => n);
    await app.start();
    const first = await plain.enqueue(1);
    // Keys that look like its id, like the next id, and like names that objects have by themselves.
    const keys = [first.id, first.id.replace(/.$/, "2"), "__proto__", "constructor", "0", "-1", "a:b", "}{"];
    const handles = [];
    for (const [n, key] of keys.entries()) handles.push(await work.enqueue({ key, n }));
    const calls = [];
    for (const [n, key] of keys.entries()) calls.push(await plain.enqueue(100 + n, { idempotencyKey: key }));
    const ids = [first, ...handles, ...calls].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await app.gather(handles, { timeout: "10s" })).toEqual(keys.map((_, n) => n));
    expect(await app.gather(calls, { timeout: "10s" })).toEqual(keys.map((_, n) => 100 + n));
    expect(await first.result({ timeout: "10s" })).toBe(1);
  });

  it("regression: order is lost on a retry", async () => {
    const app = open(await fresh());
    const ran: string[] = [];
    const work = app.step(
      "work",
      { order: () => "all", retries: 2, retryDelay: "30ms" },
      async (n: number, { attempt }) => {
        ran.push(`${n}.${attempt}`);
        if (n === 1 && attempt < 3) throw new Error("told to");
        if (n === 2 && attempt < 2) throw new Error("told to");
      },
    );
    await app.start();
    const handles = [];
    for (const n of [1, 2, 3]) handles.push(await work.enqueue(n));
    await app.gather(handles, { timeout: "10s" });
    expect(ran).toEqual(["1.1", "1.2", "1.3", "2.1", "2.2", "3.1"]);
  });
}

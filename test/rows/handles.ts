/** Rows about what a caller gives and gets: submits, handles, results. */
import { isMillraceError, OperationFailed, WaitTimeout } from "@millrace/core";
import { expect, it } from "vitest";
import type { Place } from "../helper/places.js";
import { door, stage } from "./stage.js";

/** Declares them on one kind of store. */
export function handleRows({ fresh }: Place): void {
  const open = stage();

  it("B7: `gather` keeps the order of its handles, throws at a failure, tells every end if asked to, and is empty of none", async () => {
    const app = open(await fresh());
    const slow = door();
    const work = app.step("work", { retries: 0 }, async (n: number) => {
      if (n === 0) await slow.passed;
      if (n === 2) throw new RangeError("two");
      return n * 10;
    });
    await app.start();
    const handles = await Promise.all([0, 1, 2, 3].map((n) => work.enqueue(n)));
    await Promise.all(handles.slice(1).map((handle) => handle.wait({ timeout: "10s" })));
    slow.open();
    const ends = await app.gather(handles, { settle: true, timeout: "10s" });
    expect(ends.map((end) => (end.state === "completed" ? end.value : end.state))).toEqual([0, 10, "failed", 30]);
    await expect(app.gather(handles, { timeout: "10s" })).rejects.toBeInstanceOf(OperationFailed);
    expect(await app.gather([])).toEqual([]);
  });

  it("B7: a wait that gives up, by its time or its signal, leaves the work running", async () => {
    const app = open(await fresh());
    const hold = door();
    const work = app.step("work", async () => {
      await hold.passed;
      return "done";
    });
    await app.start();
    const handle = await work.enqueue(null);
    await expect(handle.result({ timeout: "20ms" })).rejects.toBeInstanceOf(WaitTimeout);
    const impatient = new AbortController();
    const waiting = handle.result({ signal: impatient.signal });
    impatient.abort(new Error("no longer interested"));
    await expect(waiting).rejects.toThrow("no longer interested");
    hold.open();
    expect(await handle.result({ timeout: "10s" })).toBe("done");
  });

  it("F5: options stand apart from the input: what the input calls priority or delay is only input", async () => {
    const app = open({ ...(await fresh()), workers: { asyncWorkers: 1, slots: 1 } });
    const seen: unknown[] = [];
    const note = app.step("note", async (input: unknown) => {
      seen.push(input);
    });
    const plain = await note.enqueue({ priority: 999, delay: "1h", queue: "elsewhere", tags: 1 });
    const urgent = await note.enqueue("urgent", { priority: 1, tags: { kind: "daily" } });
    await app.start();
    await app.gather([plain, urgent], { timeout: "10s" });
    expect(seen).toEqual(["urgent", { priority: 999, delay: "1h", queue: "elsewhere", tags: 1 }]);
  });

  it("B6: what is wrong with a submit is said at once, and nothing is stored", async () => {
    const app = open(await fresh());
    const work = app.step("work", async () => null);
    const wrong = [
      () => work.enqueue(null, { priority: 1001 }),
      () => work.enqueue(null, { delay: -1 }),
      () => work.enqueue(null, { delay: "1h", at: new Date() }),
      () => work.enqueue(null, { prioritty: 1 } as never),
      () => app.enqueue("wrok", null),
      () => work.enqueue(() => "a function" as never),
    ];
    const codes = [];
    for (const submit of wrong) {
      codes.push(
        await submit().then(
          () => "taken",
          (error: unknown) => (isMillraceError(error) ? error.code : String(error)),
        ),
      );
    }
    expect(codes).toEqual([
      "MR_INVALID_OPTION",
      "MR_INVALID_OPTION",
      "MR_INVALID_OPTION",
      "MR_INVALID_OPTION",
      "MR_UNKNOWN_TARGET",
      "MR_NOT_SERIALISABLE",
    ]);
    expect(await app.queue("async").counts()).toMatchObject({ ready: 0 });
  });

  it("F7: a failure is an answer of `wait`, with name, message, stack and tries; read again by id it is the same", async () => {
    const app = open(await fresh());
    const work = app.step("work", { retries: 1, retryDelay: 1 }, async () => {
      throw new RangeError("too far");
    });
    await app.start();
    const handle = await work.enqueue({ from: 1 });
    const end = await handle.wait({ timeout: "10s" });
    expect(end).toMatchObject({ state: "failed", attempts: 2, error: { name: "RangeError", message: "too far" } });
    const again = app.handle(handle.id);
    expect(await again.wait({ timeout: "10s" })).toEqual(end);
    const status = await again.status();
    expect(status).toMatchObject({ state: "failed", step: "work", attempt: 2, error: { message: "too far" } });
    expect(status.error?.stack).toContain("handles");
    const [from, to] = [status.enqueuedAt?.getTime() ?? 0, status.finishedAt?.getTime() ?? 0];
    expect(from).toBeGreaterThan(0);
    expect(to).toBeGreaterThanOrEqual(from - 1_000); // the producer's clock and the store's
  });
}

/** Sentences about the testing kit, each also a small example of its use. */
import { describe, expect, it } from "vitest";
import { App } from "../app.js";
import { createTestApp } from "./test-app.js";

const START_MS = Date.UTC(2026, 0, 1);

function appUnderTest(): App {
  return new App({ store: "memory:", nodeId: "test" });
}

describe("X20: virtual mode", () => {
  it("holds work back until time is moved", async () => {
    const app = appUnderTest();
    const ran: string[] = [];
    const echo = app.step("echo", async (text: string) => void ran.push(text));
    await using test = await createTestApp(app);
    await echo.enqueue("one");
    expect(ran).toEqual([]);
    await test.clock.runUntilIdle();
    expect(ran).toEqual(["one"]);
    expect(test.clock.now().getTime()).toBe(START_MS);
  });

  it("runs delayed work in the order of due times, each at its own time", async () => {
    const app = appUnderTest();
    const ran: [string, number][] = [];
    const note = app.step("note", async (_: string): Promise<void> => undefined);
    await using test = await createTestApp(app);
    test.mock(note, async (text) => void ran.push([text, test.clock.now().getTime() - START_MS]));
    await app.enqueue("note", "month", { delay: "30d" });
    await app.enqueue("note", "hour", { delay: "1h" });
    await app.enqueue("note", "day", { delay: "1d" });
    await test.clock.advance("29d");
    expect(ran.map(([text]) => text)).toEqual(["hour", "day"]);
    await test.clock.advance("2d");
    expect(ran.map(([text]) => text)).toEqual(["hour", "day", "month"]);
    const dueMs = [3_600_000, 86_400_000, 30 * 86_400_000];
    // A due time is a promise not to start before; the promoter asks a millisecond later.
    for (const [i, [, atMs]] of ran.entries()) {
      expect(atMs - (dueMs[i] ?? 0)).toBeGreaterThanOrEqual(0);
      expect(atMs - (dueMs[i] ?? 0)).toBeLessThanOrEqual(1);
    }
  });

  it("retries after one, two and four seconds", async () => {
    const app = appUnderTest();
    const flaky = app.step("flaky", { retries: 3 }, async (_: null): Promise<void> => undefined);
    await using test = await createTestApp(app);
    const times: number[] = [];
    test.mock(flaky, async () => {
      times.push(test.clock.now().getTime());
      throw new Error("not yet");
    });
    const handle = await flaky.enqueue(null);
    await test.clock.runUntilIdle();
    const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(waits.map((ms) => Math.round(ms / 1_000))).toEqual([1, 2, 4]);
    for (const [i, ms] of waits.entries()) expect(ms - 1_000 * 2 ** i).toBeLessThanOrEqual(1);
    expect(test.calls(flaky).map((call) => call.attempt)).toEqual([1, 2, 3, 4]);
    expect((await handle.status()).state).toBe("failed");
  });

  it("crosses a month quickly while somebody waits for a result", async () => {
    const app = appUnderTest();
    const late = app.step("late", async (n: number) => n + 1);
    await using test = await createTestApp(app);
    const handle = await late.enqueue(1, { delay: "30d" });
    const result = handle.result();
    await test.clock.advance("31d");
    expect(await result).toBe(2);
  });
});

describe("X20: inline mode", () => {
  it("runs work before the enqueue resolves, retries included", async () => {
    const app = appUnderTest();
    let tries = 0;
    const flaky = app.step("flaky", async (n: number) => {
      tries++;
      if (tries < 3) throw new Error("not yet");
      return n * 2;
    });
    await using test = await createTestApp(app, { mode: "inline" });
    const handle = await flaky.enqueue(21);
    expect((await handle.status()).state).toBe("completed");
    expect(await handle.result()).toBe(42);
    expect(test.calls(flaky)).toEqual([
      { input: 21, attempt: 1 },
      { input: 21, attempt: 2 },
      { input: 21, attempt: 3 },
    ]);
  });

  it("lets a Step enqueue another and wait for it", async () => {
    const app = appUnderTest();
    const inner = app.step("inner", async (n: number) => n + 1);
    const outer = app.step("outer", async (n: number) => await (await inner.enqueue(n)).result());
    await using test = await createTestApp(app, { mode: "inline" });
    const handle = await outer.enqueue(1);
    expect(await handle.result()).toBe(2);
    expect(test.calls(inner)).toHaveLength(1);
  });

  it("runs the work of enqueues made at the same time", async () => {
    const app = appUnderTest();
    const twice = app.step("twice", async (n: number) => n * 2);
    await using test = await createTestApp(app, { mode: "inline" });
    const handles = await Promise.all([1, 2, 3].map((n) => twice.enqueue(n)));
    for (const handle of handles) expect((await handle.status()).state).toBe("completed");
    expect(test.calls(twice)).toHaveLength(3);
  });
});

describe("batch Steps", () => {
  it("X15: are called when their wait is over or they are full, one call of the Step per Operation on record", async () => {
    const app = appUnderTest();
    const sizes: number[] = [];
    const sum = app.batchStep("sum", { batch: { maxSize: 3, wait: "1m" } }, async (inputs: readonly number[]) => {
      sizes.push(inputs.length);
      return inputs.map((n) => n * 2);
    });
    await using test = await createTestApp(app);
    const handles = await Promise.all([1, 2, 3, 4].map((n) => sum.enqueue(n)));
    await test.clock.advance("1s");
    expect(sizes).toEqual([3]);
    await test.clock.runUntilIdle();
    expect(sizes).toEqual([3, 1]);
    expect(await app.gather(handles)).toEqual([2, 4, 6, 8]);
    expect(test.calls(sum).map(({ input }) => input)).toEqual([1, 2, 3, 4]);
    expect(await sum(5)).toBe(10);
  });
});

describe("X20: mocks and the end", () => {
  it("puts another function in a Step's place and records its calls", async () => {
    const app = appUnderTest();
    const mail = app.step("mail", async (_to: string): Promise<string> => {
      throw new Error("no network in tests");
    });
    await using test = await createTestApp(app, { mode: "inline" });
    test.mock(mail, async (to) => `sent to ${to}`);
    expect(await (await mail.enqueue("ada")).result()).toBe("sent to ada");
    expect(test.calls(mail)).toEqual([{ input: "ada", attempt: 1 }]);
  });

  it("refuses an App that was used before", async () => {
    const app = appUnderTest();
    await app.start();
    await expect(createTestApp(app)).rejects.toMatchObject({ code: "MR_APP_STATE" });
    await app.close();
  });

  it("ends although a handler never does", async () => {
    const app = appUnderTest();
    let begin: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const stuck = app.step("stuck", async (_: null) => {
      begin();
      await new Promise<void>(() => undefined);
    });
    const test = await createTestApp(app);
    await stuck.enqueue(null);
    const running = test.clock.runUntilIdle().catch(() => undefined); // the store closes under it
    await hasBegun;
    await test[Symbol.asyncDispose]();
    await running;
    expect(app.state).toBe("closed");
  });
});

/** Faults, seeds and the crash matrix: what a test can let happen, and what it is told. */
import { describe, expect, it } from "vitest";
import { App } from "../app.js";
import { crashMatrix } from "./crash-matrix.js";
import { CRASH_POINTS } from "./faults.js";
import { forSeeds } from "./seeds.js";
import { createTestApp } from "./test-app.js";

function appUnderTest(): App {
  return new App({ store: "memory:", nodeId: "test" });
}

describe("X20: a fault", () => {
  const calls = { before: 1, after_effect: 2, after_record: 1, duplicate: 2 };
  for (const point of CRASH_POINTS) {
    it(`X20: (${point}) costs no Attempt, and the effect is seen as often as in life`, async () => {
      const app = appUnderTest();
      const fences: string[] = [];
      const charge = app.step("charge", { retries: 0 }, async (cents: number, { fence, attempt, idempotencyKey }) => {
        fences.push(`${fence} ${attempt} ${idempotencyKey}`);
        return cents;
      });
      await using test = await createTestApp(app);
      test.crash({ step: charge, point });
      const handle = await charge.enqueue(500);
      await test.clock.runUntilIdle();
      expect(await handle.result()).toBe(500);
      expect(fences).toHaveLength(calls[point]);
      expect(await handle.status()).toMatchObject({ state: "completed", attempt: 1 });
      // The next Operation is left alone.
      const next = await charge.enqueue(1);
      await test.clock.runUntilIdle();
      expect(await next.result()).toBe(1);
      expect(fences).toHaveLength(calls[point] + 1);
    });
  }

  it("X20: after the effect has the same key and a larger fence for the second life", async () => {
    const app = appUnderTest();
    const lives: { fence: string; idempotencyKey: string }[] = [];
    const step = app.step("step", async (_: null, { fence, idempotencyKey }) => {
      lives.push({ fence, idempotencyKey });
    });
    await using test = await createTestApp(app);
    test.crash({ step, point: "after_effect" });
    await step.enqueue(null);
    await test.clock.runUntilIdle();
    const [first, second] = lives;
    expect(second?.idempotencyKey).toBe(first?.idempotencyKey);
    expect(Number(second?.fence)).toBeGreaterThan(Number(first?.fence));
  });
});

describe("X20: a seed", () => {
  const orderOf = async (seed: number) => {
    const app = appUnderTest();
    const ran: number[] = [];
    const step = app.step("step", async (n: number) => void ran.push(n));
    await using test = await createTestApp(app, { seed, order: "seeded" });
    await app.enqueueMany(step, [1, 2, 3, 4, 5, 6]);
    await test.clock.runUntilIdle();
    return ran;
  };

  it("X20: shuffles what might begin now, the same way each time", async () => {
    const orders = await Promise.all([1, 2, 3, 1].map(orderOf));
    expect(orders[3]).toEqual(orders[0]);
    expect(new Set(orders.map(String)).size).toBeGreaterThan(1);
    for (const order of orders) expect([...order].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("X20: is named by the error of a test that fails with it", async () => {
    const seen: number[] = [];
    const failing = forSeeds(10, async (seed) => {
      seen.push(seed);
      if (seed === 3) throw new Error("lost an update");
    });
    await expect(failing).rejects.toThrow("with seed 3: lost an update");
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe("X20: a crash matrix", () => {
  const app = appUnderTest();
  const rows: string[] = [];
  const table = new Map<string, number>();
  const reset = () => {
    rows.length = 0;
    table.clear();
  };
  const seen = { reset, effects: () => [rows, [...table]] };

  it("X20: flags a Step that is not idempotent, and the points where it shows", async () => {
    const append = app.step("append", async (text: string, { progress }) => {
      progress(1);
      rows.push(text);
      progress(2);
    });
    const { points, doubleEffects } = await crashMatrix(append, "row", seen);
    expect(points).toBe(5);
    expect(doubleEffects).toEqual(["progress 2", "after_effect", "duplicate"]);
  });

  it("X20: finds nothing in one that writes under its key", async () => {
    const put = app.step("put", async (cents: number, { idempotencyKey, progress }) => {
      progress(1);
      table.set(idempotencyKey, cents);
      progress(2);
      return cents;
    });
    const { doubleEffects, outcomes } = await crashMatrix(put, 5, seen);
    expect(doubleEffects).toEqual([]);
    expect(outcomes.map(({ point }) => point)).toEqual([
      "before",
      "progress 1",
      "progress 2",
      "after_effect",
      "duplicate",
    ]);
    expect(outcomes).toContainEqual({ point: "after_effect", state: "completed", value: 5 });
  });
});

describe("X20: a week", () => {
  it("X20: of delays and retries passes in less than 50 ms", async () => {
    const tookMs: number[] = [];
    // The first runs are slower, and the machine may be busy: the fastest tells what it costs.
    for (let round = 0; round < 8; round++) {
      const app = appUnderTest();
      let calls = 0;
      const step = app.step("step", { retries: 2, retryDelay: "1h" }, async (day: number, { attempt }) => {
        calls++;
        if (attempt <= day % 3) throw new Error("not yet");
      });
      await using test = await createTestApp(app);
      for (let day = 0; day < 7; day++) await step.enqueue(day, { delay: `${day}d` });
      const began = performance.now();
      await test.clock.advance("7d");
      tookMs.push(performance.now() - began);
      expect(calls).toBe(7 + 0 + 1 + 2 + 0 + 1 + 2);
    }
    expect(Math.min(...tookMs)).toBeLessThan(50);
  });
});

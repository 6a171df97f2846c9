/** When new work is refused for want of memory, and when it is let in again. */
import { describe, expect, it } from "vitest";
import type { MemoryUse } from "../engine/memory-gauge.js";
import { ManualClock } from "../testing/manual-clock.js";
import { AdmittingSink } from "./admitting-sink.js";

const MIB = 1024 * 1024;

function setUp(maxBytes: number | null = null, ...others: readonly MemoryUse[]) {
  const clock = new ManualClock();
  const said: string[] = [];
  const memory: { usedBytes: number; maxBytes: number | null } = { usedBytes: 0, maxBytes };
  let looks = 0;
  const inner = { push: () => said.push("in"), pushFull: () => said.push("in"), backlog: 0, end: () => undefined };
  const gauge = {
    memory: () => {
      looks++;
      return Promise.resolve([...others, { ...memory }]);
    },
  };
  const sink = new AdmittingSink({ inner, gauge, clock, store: "redis://there", maxBytes: 100 * MIB });
  const push = (): void =>
    sink.push("q", { body: Buffer.of(1), accepted: () => undefined, refused: ({ message }) => said.push(message) });
  const pass = async (ms: number): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.moveTo(clock.nowMs() + ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { memory, said, push, pass, looks: () => looks };
}

describe("admission", () => {
  it("X29: refuses from 85 % of the budget on, says how long it may take, and lets in again below that", async () => {
    const { memory, said, push, pass } = setUp();
    memory.usedBytes = 84 * MIB;
    push();
    await pass(250);
    memory.usedBytes = 95 * MIB;
    push();
    await pass(250);
    push();
    memory.usedBytes = 90 * MIB;
    await pass(250);
    push();
    memory.usedBytes = 80 * MIB;
    await pass(250);
    push();
    expect(said).toEqual([
      "in",
      "in",
      "store redis://there uses 95.0 of 100.0 MiB: new work is refused until there is room",
      "store redis://there uses 90.0 of 100.0 MiB: new work is refused until there is room; as it goes now there is room in about 1 s",
      "in",
    ]);
  });

  it("X29: heeds the server's own bound where that is less", async () => {
    const { memory, said, push, pass } = setUp(50 * MIB);
    memory.usedBytes = 43 * MIB;
    push();
    await pass(250);
    push();
    expect(said).toEqual(["in", "store redis://there uses 43.0 of 50.0 MiB: new work is refused until there is room"]);
  });

  it("X29: of several servers the fullest counts", async () => {
    const { memory, said, push, pass } = setUp(null, { usedBytes: 42 * MIB, maxBytes: 48 * MIB });
    memory.usedBytes = 80 * MIB;
    push();
    await pass(250);
    push();
    expect(said).toEqual(["in", "store redis://there uses 42.0 of 48.0 MiB: new work is refused until there is room"]);
  });

  it("X29: looks four times a second at most, and not at all while nothing is enqueued", async () => {
    const { push, pass, looks } = setUp();
    for (let i = 0; i < 1_000; i++) push();
    await pass(100);
    for (let i = 0; i < 1_000; i++) push();
    expect(looks()).toBe(1);
    await pass(200);
    expect(looks()).toBe(2);
    for (let i = 0; i < 10; i++) await pass(1_000);
    expect(looks()).toBe(2);
  });
});

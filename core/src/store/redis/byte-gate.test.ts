import { describe, expect, it } from "vitest";
import { ByteGate } from "./byte-gate.js";

function setUp() {
  const gate = new ByteGate(10);
  const begun: number[] = [];
  const ends = new Map<number, (error?: Error) => void>();
  const run = (bytes: number) =>
    gate.run(bytes, () => {
      begun.push(bytes);
      return new Promise<void>((resolve, reject) =>
        ends.set(bytes, (error) => (error === undefined ? resolve() : reject(error))),
      );
    });
  const end = async (bytes: number, error?: Error) => {
    ends.get(bytes)?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { run, end, begun };
}

describe("the gate of bytes", () => {
  it("lets begin what fits, in order: what is small does not overtake", async () => {
    const { run, end, begun } = setUp();
    const all = [run(6), run(4), run(7), run(1)];
    expect(begun).toEqual([6, 4]);
    await end(4);
    expect(begun).toEqual([6, 4]);
    await end(6);
    expect(begun).toEqual([6, 4, 7, 1]);
    await end(7);
    await end(1);
    await Promise.all(all);
  });

  it("lets through alone what is larger than its limit", async () => {
    const { run, end, begun } = setUp();
    const all = [run(3), run(50), run(2)];
    expect(begun).toEqual([3]);
    await end(3);
    expect(begun).toEqual([3, 50]);
    await end(50);
    expect(begun).toEqual([3, 50, 2]);
    await end(2);
    await Promise.all(all);
  });

  it("has room again behind what fails", async () => {
    const { run, end, begun } = setUp();
    const failing = run(9).catch((error: Error) => error.message);
    const next = run(8);
    await end(9, new Error("cut"));
    expect(await failing).toBe("cut");
    expect(begun).toEqual([9, 8]);
    await end(8);
    await next;
  });
});

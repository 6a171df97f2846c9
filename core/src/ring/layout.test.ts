import { expect, it } from "vitest";
import {
  AWAKE,
  askWord,
  BLOCKED,
  checkWord,
  createRingBuffer,
  HEAD,
  HEADER_BYTES,
  howOf,
  LISTENING,
  MORE,
  TAIL,
} from "./layout.js";

it("a capacity is a power of two from 64 to 2^29", () => {
  for (const capacity of [64, 128, 65_536]) {
    expect(createRingBuffer(capacity).byteLength).toBe(HEADER_BYTES + capacity);
  }
  for (const capacity of [0, 1, 32, 63, 65, 96, 2 ** 30, 64.5, Number.NaN, -64]) {
    expect(() => createRingBuffer(capacity), String(capacity)).toThrow("power of two");
  }
});

it("counters may begin anywhere, at a multiple of 8", () => {
  const words = new Int32Array(createRingBuffer(64, 2 ** 32 - 64), 0, HEADER_BYTES / 4);
  expect([words[TAIL], words[HEAD]]).toEqual([-64, -64]);
  for (const startAt of [1, 4, 2 ** 31 - 1, 0.5]) expect(() => createRingBuffer(64, startAt)).toThrow("multiples of 8");
});

it("each length has a check of its own, and zeroes have none", () => {
  for (const sequence of [0, 1, 2 ** 31 - 1, -1]) {
    const lengths = Array.from({ length: 5000 }, (_, length) => length);
    const checks = [...lengths, ...lengths.map((length) => length | MORE)].map((length) => checkWord(sequence, length));
    expect(new Set(checks).size).toBe(10_000);
    expect(checks.every((check) => check === (check | 0))).toBe(true);
    expect(checks[0]).not.toBe(0);
  }
});

it("an asking says how a side waits and which time, except that being awake is always the same", () => {
  expect(askWord(AWAKE, 7)).toBe(AWAKE);
  for (const how of [BLOCKED, LISTENING] as const) {
    expect(askWord(how, 1)).not.toBe(askWord(how, 2));
    for (const asking of [1, 2, 2 ** 29, 2 ** 30 + 1]) expect(howOf(askWord(how, asking))).toBe(how);
  }
});

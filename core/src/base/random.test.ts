import { describe, expect, it } from "vitest";
import { seededRandom, systemRandom } from "./random.js";

describe.each([
  ["system", systemRandom],
  ["seeded", seededRandom(7)],
])("the %s generator", (_, random) => {
  it("draws numbers evenly from 0 to 1", () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const value = random.next();
      expect(value >= 0 && value < 1).toBe(true);
      const tenth = Math.floor(value * 10);
      counts[tenth] = (counts[tenth] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(300);
  });

  it("draws bytes and texts of the length asked for", () => {
    expect(random.bytes(33)).toHaveLength(33);
    expect(random.text(128)).toMatch(/^[0-9a-z]{25}$/);
    expect(random.text(10)).toMatch(/^[0-9a-z]{2}$/);
  });
});

it("a seed repeats its values, another seed gives others", () => {
  const values = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, () => random.next());
  };
  expect(values(1)).toStrictEqual(values(1));
  expect(values(1)).not.toStrictEqual(values(2));
});

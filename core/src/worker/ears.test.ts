/** Ears: each promise's end comes to its own, however often ears are used again. */
import { describe, expect, it } from "vitest";
import { Ears } from "./ears.js";

function setUp() {
  const told: string[] = [];
  const ears = new Ears<string>({
    returned: (of, value) => told.push(`${of} returned ${String(value)}`),
    rejected: (of, error) => told.push(`${of} rejected ${String(error)}`),
  });
  return { ears, told };
}

describe("ears", () => {
  it("hear each promise for its own, in any order and again and again", async () => {
    const { ears, told } = setUp();
    for (let round = 0; round < 3; round++) {
      told.length = 0;
      const ends: (() => void)[] = [];
      for (const of of ["a", "b", "c"]) {
        const promise = new Promise((resolve, reject) => {
          ends.push(of === "b" ? () => reject(`no ${round}`) : () => resolve(round));
        });
        ears.listen(promise, of);
      }
      for (const end of ends.toReversed()) end();
      await new Promise((resolve) => setImmediate(resolve));
      expect(told).toEqual([`c returned ${round}`, `b rejected no ${round}`, `a returned ${round}`]);
    }
  });

  it("are not taken from one that is still waited for", async () => {
    const { ears, told } = setUp();
    let end: (value: unknown) => void = () => undefined;
    ears.listen(new Promise((resolve) => (end = resolve)), "slow");
    for (const of of ["a", "b"]) {
      ears.listen(Promise.resolve(1), of);
      await new Promise((resolve) => setImmediate(resolve));
    }
    end(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(["a returned 1", "b returned 1", "slow returned 2"]);
  });

  it("are not shared with a thenable that calls back twice", async () => {
    const { ears, told } = setUp();
    let call: (value: unknown) => void = () => undefined;
    const odd = Promise.resolve();
    // biome-ignore lint/suspicious/noThenProperty: a promise whose `then` is another is what is tried.
    odd.then = ((returned: (value: unknown) => void) => {
      call = returned;
    }) as typeof odd.then; // it answers nothing, which nobody reads
    ears.listen(odd, "odd");
    call(1);
    ears.listen(Promise.resolve(2), "next");
    call(3);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(["odd returned 1", "odd returned 3", "next returned 2"]);
  });
});

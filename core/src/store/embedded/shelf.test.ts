/** That what is put on a shelf stands there as it was, whatever is put beside it. */
import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.js";
import { forSeeds } from "../../testing/seeds.js";
import { type Counts, type KeptEnd, Shelf, Shelved } from "./shelf.js";

type Kept = Counts & KeptEnd & { readonly finishedAtMs: number };

const plain: Kept = {
  ...{ token: 7, finishedAtMs: 1_767_225_600_000, generation: 0, attempt: 1, recoveries: 0, returns: 0 },
  value: Uint8Array.of(1, 2, 3),
};

function keptOf({ token, finishedAtMs, generation, attempt, recoveries, returns, value }: Kept): Kept {
  return {
    ...{ token, finishedAtMs, generation, attempt, recoveries, returns },
    value: value === null ? null : Uint8Array.from(value),
  };
}

it("gives back every record as it was put, of any length, beside thousands of others", async () => {
  await forSeeds(5, (seed) => {
    const random = seededRandom(seed);
    const below = (bound: number) => Math.floor(random.next() * bound);
    const shelf = new Shelf();
    const put = Array.from({ length: 1000 }, (): Kept => {
      const length = below(100) === 0 ? below(100_000) : below(60);
      return {
        token: below(Number.MAX_SAFE_INTEGER),
        finishedAtMs: below(8.64e15),
        ...{ generation: below(2 ** 32), attempt: below(1000), recoveries: below(50), returns: below(1e6) },
        value: below(8) === 0 ? null : new Uint8Array(length).fill(below(256)),
      };
    });
    const shelved = put.map((kept) => new Shelved(shelf, kept, kept, kept.finishedAtMs));
    for (const [i, one] of shelved.entries()) {
      const { value, ...rest } = keptOf(one);
      const { value: given, ...others } = put[i] as Kept; // as many were put
      expect(rest).toEqual(others);
      expect(value === null ? null : Buffer.from(value).toString("hex")).toBe(
        given === null ? null : Buffer.from(given).toString("hex"),
      );
    }
  });
});

it("tells an empty value from none, and what is erased or later from its neighbours", () => {
  const shelf = new Shelf();
  const [empty, none, erased, later] = [Uint8Array.of(), null, Uint8Array.of(9), Uint8Array.of(8)].map(
    (value) => new Shelved(shelf, plain, { ...plain, value }, plain.finishedAtMs),
  );
  erased?.eraseValue();
  later?.noteLater();
  expect(empty?.value).toEqual(Buffer.alloc(0));
  expect(none?.value).toBeNull();
  expect(erased?.value).toBeNull();
  expect(later?.value).toEqual(Buffer.of(8));
  expect([empty, none, erased, later].map((one) => one?.isLater)).toEqual([false, false, false, true]);
  expect(later?.token).toBe(7);
});

it("copies the bytes of a value: who gave them may write on", () => {
  const given = Uint8Array.of(1, 2, 3);
  const shelved = new Shelved(new Shelf(), plain, { ...plain, value: given }, plain.finishedAtMs);
  given.fill(0);
  expect(shelved.value).toEqual(Buffer.of(1, 2, 3));
});

import { describe, expect, it } from "vitest";
import { encode } from "./codec.js";
import { isMillraceError } from "./errors.js";
import { seededRandom } from "./random.js";
import { isSealed, parseSealKeys, Sealer } from "./seal.js";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const random = seededRandom(seed);
const keyOf = (name: string, byte: number) => `${name}:${Buffer.alloc(32, byte).toString("base64")}`;
const keys = parseSealKeys([keyOf("new", 1), keyOf("old", 2)], "keys");
const [newKey, oldKey] = keys.map((key) => [key] as const);
if (newKey === undefined || oldKey === undefined) throw new Error("two keys were read");
const place = "app\0input\0n.a.7";
/** Five bytes of head before a payload. */
const record = (value: unknown) => encode(value, "test", 1 << 24, 5).fill(0xab, 0, 5);

function codeOf(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    return isMillraceError(error) ? error.code : String(error);
  }
}

describe(`sealed payloads (seed ${seed})`, () => {
  it("X28: come back as they were, encrypted, compressed or both", () => {
    for (const compressFrom of [null, 64]) {
      for (const some of [[], keys]) {
        const sealer = new Sealer({ keys: some, compressFrom });
        for (const value of ["", null, "x".repeat(5_000), random.bytes(3_000), [1n, -0, new Date(5)]]) {
          const bytes = record(value);
          const sealed = sealer.seal(bytes, 5, place);
          expect(Buffer.from(sealer.open(sealed, 5, place))).toEqual(bytes);
          expect(Buffer.from(sealed.subarray(0, 5))).toEqual(bytes.subarray(0, 5));
        }
      }
    }
  });

  it("X28: cost nothing where they are neither encrypted nor worth compressing", () => {
    const sealer = new Sealer({ keys: [], compressFrom: 64 });
    const [short, noise] = [record("short"), record(random.bytes(10_000))];
    expect(sealer.seal(short, 5, place)).toBe(short);
    expect(sealer.seal(noise, 5, place)).toBe(noise);
    expect(sealer.open(short, 5, place)).toBe(short);
    expect(sealer.seal(record("x".repeat(10_000)), 5, place).length).toBeLessThan(200);
  });

  it("X28: hide what they hold, and are the same when the same call is sent again", () => {
    const sealer = new Sealer({ keys, compressFrom: null });
    const bytes = record("canary-4711");
    const sealed = Buffer.from(sealer.seal(bytes, 5, place));
    expect(sealed.includes("canary")).toBe(false);
    expect(isSealed(sealed, 5)).toBe(true);
    expect(Buffer.from(sealer.seal(bytes, 5, place))).toEqual(sealed);
    const elsewhere = Buffer.from(sealer.seal(bytes, 5, `${place}0`));
    expect(elsewhere.subarray(-12)).not.toEqual(sealed.subarray(-12));
  });

  it("S26: a flipped bit anywhere, in the head too, is refused", () => {
    for (const compressFrom of [null, 64]) {
      const sealer = new Sealer({ keys, compressFrom });
      const sealed = Buffer.from(sealer.seal(record("a text that repeats itself ".repeat(8)), 5, place));
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        if (bit >> 3 === 5) continue; // the mark: without it these are no sealed bytes, and no payload either
        const changed = Buffer.from(sealed);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(codeOf(() => sealer.open(changed, 5, place))).toBe("MR_SEALED");
      }
      for (let length = 7; length < sealed.length; length++) {
        expect(codeOf(() => sealer.open(sealed.subarray(0, length), 5, place))).toBe("MR_SEALED");
      }
    }
  });

  it("S26: what was sealed for another Operation, App or kind is refused", () => {
    const sealer = new Sealer({ keys, compressFrom: null });
    const sealed = sealer.seal(record(1), 5, place);
    for (const other of ["app\0input\0n.a.8", "bpp\0input\0n.a.7", "app\0outcome\0n.a.7"]) {
      expect(codeOf(() => sealer.open(sealed, 5, other))).toBe("MR_SEALED");
    }
  });

  it("S26: a key that was taken away opens nothing more, one that was only replaced still does", () => {
    const before = new Sealer({ keys: oldKey, compressFrom: null });
    const sealed = before.seal(record(1), 5, place);
    expect(Buffer.from(new Sealer({ keys, compressFrom: null }).open(sealed, 5, place))).toEqual(record(1));
    expect(codeOf(() => new Sealer({ keys: newKey, compressFrom: null }).open(sealed, 5, place))).toBe("MR_SEALED");
    const sameName = parseSealKeys([keyOf("old", 3)], "keys");
    expect(codeOf(() => new Sealer({ keys: sameName, compressFrom: null }).open(sealed, 5, place))).toBe("MR_SEALED");
    expect(
      codeOf(() => before.open(new Sealer({ keys, compressFrom: null }).seal(record(1), 5, place), 5, place)),
    ).toBe("MR_SEALED");
  });

  it("X28: few bytes never become more than they say", () => {
    const sealer = new Sealer({ keys: [], compressFrom: 64 });
    const bomb = Buffer.from(sealer.seal(record("\0".repeat(100_000)), 5, place));
    bomb.writeUInt32BE(50, 7);
    expect(codeOf(() => sealer.open(bomb, 5, place))).toBe("MR_SEALED");
    bomb.writeUInt32BE(2 ** 31, 7);
    expect(codeOf(() => sealer.open(bomb, 5, place))).toBe("MR_SEALED");
  });

  it("X28: keys that are none are refused without being shown", () => {
    const secret = Buffer.alloc(31, 7).toString("base64");
    for (const texts of [[secret], [`a:${secret}`], [keyOf("", 1)], [keyOf("a", 1), keyOf("a", 2)]]) {
      try {
        parseSealKeys(texts, "app.encryptionKey");
        expect.unreachable();
      } catch (error) {
        expect(String(error)).toContain("app.encryptionKey");
        expect(String(error)).not.toContain(secret.slice(0, 8));
      }
    }
    expect(parseSealKeys([`a:${"0f".repeat(32)}`], "keys")[0]?.secret).toEqual(Buffer.alloc(32, 0x0f));
  });

  it("X28: what was stored by this release opens for ever", () => {
    // A known answer: it may change only together with the format's version.
    const stored = "abababababc102036e657796bc1df362f27399fd0c880da9b2dea73f88d2393ace28cfccb3d2f20e7d028d28";
    const sealer = new Sealer({ keys: newKey, compressFrom: null });
    expect(Buffer.from(sealer.seal(record("kept"), 5, place)).toString("hex")).toBe(stored);
    expect(Buffer.from(sealer.open(Buffer.from(stored, "hex"), 5, place))).toEqual(record("kept"));
  });
});

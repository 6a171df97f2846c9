import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.js";
import { FrameWriter, framePrefix } from "./frame.js";

function expected(args: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = Buffer.from(arg as string); // a Buffer is copied by the same call
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

describe("a frame", () => {
  const prefix = framePrefix("FCALL", "mr1_enqueue", "{app:segment}");

  it("is what a RESP encoder writes, for lengths around every change of digits", () => {
    const random = seededRandom(1);
    for (const length of [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9_999, 10_000, 100_000]) {
      const bytes = Buffer.from(random.bytes(length));
      const frame = new FrameWriter(prefix, 2, length + 24).bytes(bytes).number(length).finish();
      const reference = expected(["FCALL", "mr1_enqueue", "1", "{app:segment}", bytes, String(length)]);
      expect(frame.equals(reference), `${length} bytes`).toBe(true);
    }
  });

  it("counts its arguments in as many digits as it takes", () => {
    for (const count of [1, 5, 6, 7, 95, 96, 97, 995, 996, 1_000]) {
      const writer = new FrameWriter(prefix, count, count);
      for (let i = 0; i < count; i++) writer.text("x");
      const head = ["FCALL", "mr1_enqueue", "1", "{app:segment}"];
      const reference = expected([...head, ...new Array<string>(count).fill("x")]);
      expect(writer.finish().equals(reference), `${count} arguments`).toBe(true);
    }
  });

  it("puts numbers as big-endian bytes side by side in one argument", () => {
    const frame = new FrameWriter(prefix, 1, 40)
      .open(32)
      .uint24(0xab_cdef)
      .uint40(0xff_0102_0304)
      .uint64(Number.MAX_SAFE_INTEGER)
      .sign(0x72)
      .double(1.5)
      .part(Buffer.from("7 bytes"))
      .close()
      .finish();
    const body = Buffer.from("abcdefff01020304001fffffffffffff723ff8000000000000", "hex");
    expect(frame.subarray(-34)).toEqual(Buffer.concat([body, Buffer.from("7 bytes\r\n")]));
  });

  it("takes names beyond ASCII by their bytes", () => {
    const frame = new FrameWriter(prefix, 1, 4).text("né€".slice(0, 2)).finish();
    expect(frame.subarray(-9).toString()).toBe("$3\r\nné\r\n");
  });
});

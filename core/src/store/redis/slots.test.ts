import { describe, expect, it } from "vitest";
import { movedTo, rangesOf, slotOf } from "./slots.js";

describe("a slot", () => {
  it("is the checksum of what stands between the first braces", () => {
    // The first is the example of the Cluster specification; the others were asked of a server (CLUSTER KEYSLOT).
    expect(slotOf("123456789")).toBe(0x31c3);
    expect(slotOf("{shop:web-1}:r:mail")).toBe(slotOf("{shop:web-1}"));
    expect(slotOf("{shop:web-1}")).toBe(slotOf("shop:web-1"));
    expect(slotOf("{}shop")).not.toBe(slotOf("shop"));
    expect(slotOf("foo")).toBe(12182);
  });

  it("belongs to whoever an answer says", () => {
    const node = (port: number) => [Buffer.from("h"), port, Buffer.from("id")];
    expect(rangesOf([[0, 9, node(1), node(2)], [10, 20, [null, 3]], "?"])).toEqual([
      { first: 0, last: 9, host: "h", port: 1 },
      { first: 10, last: 20, host: "", port: 3 },
    ]);
    expect(movedTo("MOVED 3999 127.0.0.1:6381")).toEqual({ slot: 3999, host: "127.0.0.1", port: 6381 });
    expect(movedTo("ASK 3999 127.0.0.1:6381")).toBeNull();
  });
});

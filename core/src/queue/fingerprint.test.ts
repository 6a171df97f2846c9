import { describe, expect, it } from "vitest";
import { fingerprintOf, normalise, stackHead, topFrame } from "./fingerprint.js";

const error = (message: string, line = 10, code?: string) => ({
  name: "Error",
  message,
  ...(code === undefined ? {} : { code }),
  stack: `Error: ${message}\n    at charge (file:///app/dist/pay.js:${line}:7)\n    at run (file:///app/dist/run.js:1:1)`,
});

describe("X12: the fingerprint of an error", () => {
  it("is equal for one cause, whatever numbers, ids, quoted texts and lines it carries", () => {
    const first = fingerprintOf(error('order 17 of "ann" not found in 0x1f2e3d4c'));
    expect(fingerprintOf(error('order 4711 of "bob" not found in 0xdeadbeef01', 99))).toBe(first);
    expect(first).toMatch(/^[0-9a-f]{12}$/);
  });

  it("differs by message, code and top frame", () => {
    const one = fingerprintOf(error("no route"));
    expect(fingerprintOf(error("no disk"))).not.toBe(one);
    expect(fingerprintOf(error("no route", 10, "E1"))).not.toBe(one);
    const elsewhere = { ...error("no route"), stack: "Error: no route\n    at other (file:///app/x.js:1:1)" };
    expect(fingerprintOf(elsewhere)).not.toBe(one);
  });

  it("takes out what varies", () => {
    expect(normalise("GET /users/42 took 1203 ms\nsecond line")).toBe("GET /users/# took # ms");
    expect(normalise("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 gone")).toBe("id # gone");
  });

  it("finds the first frame that is not Node's own", () => {
    const stack = "E: m\n    at node:internal/x:1:2\n    at async work (/a/b.js:3:4)\n    at c (/d.js:1:1)";
    expect(topFrame(stack)).toBe("async work (/a/b.js");
    expect(topFrame(undefined)).toBeNull();
    expect(topFrame("E: m")).toBeNull();
  });

  it("shows the head of a stack", () => {
    expect(stackHead(error("m"), 1)).toBe("Error: m\n    at charge (file:///app/dist/pay.js:10:7)");
    expect(stackHead({ name: "E", message: "m" })).toBe("E: m");
  });
});

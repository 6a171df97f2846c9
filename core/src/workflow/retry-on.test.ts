/** The option `retryOn`: a function, a class, or a list of classes, codes and names. */
import { describe, expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { parseRetryOn } from "./retry-on.js";

class Busy extends Error {}
class VeryBusy extends Busy {}

const coded = (code: string) => Object.assign(new Error("failed"), { code });

describe("F3: retryOn", () => {
  it("takes a function as it is", () => {
    const isBusy = (error: Error) => error.message === "busy";
    expect(parseRetryOn(isBusy)).toBe(isBusy);
  });

  it("takes a class for itself and what extends it", () => {
    const filter = parseRetryOn(Busy);
    expect([new Busy(), new VeryBusy(), new Error("other")].map((error) => filter?.(error))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("takes a list of classes, codes and names, of which one hit is enough", () => {
    const filter = parseRetryOn([Busy, "ECONNRESET", "MR_TIMEOUT", "RangeError"]);
    const errors = [
      new VeryBusy(),
      coded("ECONNRESET"),
      createError("MR_TIMEOUT", { what: "Attempt 1", timeoutMs: 5 }),
      new RangeError("too long"),
      coded("EPIPE"),
      new TypeError("no"),
    ];
    expect(errors.map((error) => filter?.(error))).toEqual([true, true, true, true, false, false]);
  });

  it("refuses what is neither", () => {
    for (const bad of [null, "ECONNRESET", 5, [], [5], [() => true], [Date]]) expect(parseRetryOn(bad)).toBeNull();
  });
});

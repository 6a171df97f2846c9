import { describe, expect, it } from "vitest";
import { Credit } from "./credit.js";

describe("Credit", () => {
  it("never lets more Operations out than its bound", () => {
    const credit = new Credit(100, 2);
    let out = 0;
    for (let i = 0; i < 50; i++) out += credit.grant(i % 2, Number.POSITIVE_INFINITY, 0);
    expect(out).toBe(100);
  });

  it("gives again what was completed", () => {
    const credit = new Credit(100, 1);
    const first = credit.grant(0, 0, 0) + credit.grant(0, 50, 0);
    expect(first).toBe(100);
    expect(credit.grant(0, 100, 0)).toBe(0);
    expect(credit.grant(0, 100, 30)).toBe(30);
  });

  it("gives a producer nothing while it has most of its portion left", () => {
    const credit = new Credit(100, 1);
    expect(credit.grant(0, 0, 0)).toBe(50);
    expect(credit.grant(0, 10, 0)).toBe(0);
  });
});

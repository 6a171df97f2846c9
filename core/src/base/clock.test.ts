import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "./clock.js";

const DAY_MS = 86_400_000;

describe("the system clock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("calls a timer once, unless it is cancelled", () => {
    const calls: string[] = [];
    systemClock.setTimer(10, () => calls.push("kept"));
    const cancelled = systemClock.setTimer(10, () => calls.push("cancelled"));
    cancelled.cancel();
    cancelled.cancel();
    vi.advanceTimersByTime(9);
    expect(calls).toStrictEqual([]);
    vi.advanceTimersByTime(1000);
    expect(calls).toStrictEqual(["kept"]);
  });

  it("waits longer than 2^31 ms when told to", () => {
    const calls: string[] = [];
    systemClock.setTimer(60 * DAY_MS, () => calls.push("due"));
    const cancelled = systemClock.setTimer(60 * DAY_MS, () => calls.push("cancelled"));
    systemClock.setTimer(Number.POSITIVE_INFINITY, () => calls.push("never")).unref();
    vi.advanceTimersByTime(30 * DAY_MS);
    cancelled.cancel();
    vi.advanceTimersByTime(30 * DAY_MS - 1);
    expect(calls).toStrictEqual([]);
    vi.advanceTimersByTime(1);
    expect(calls).toStrictEqual(["due"]);
    vi.advanceTimersByTime(60 * DAY_MS);
    expect(calls).toStrictEqual(["due"]);
  });

  it("calls an immediate once and reads both clocks", () => {
    const calls: string[] = [];
    systemClock.immediate(() => calls.push("now"));
    vi.runAllTimers();
    expect(calls).toStrictEqual(["now"]);
    expect(systemClock.nowMs()).toBe(Date.now());
    expect(systemClock.monotonicMs()).toBeLessThanOrEqual(systemClock.monotonicMs());
  });
});

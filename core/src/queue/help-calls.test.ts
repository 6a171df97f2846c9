import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.js";
import { CALL_AFTER_MS, CALL_PERIOD_MS, HelpCalls } from "./help-calls.js";

const place = { segment: "mine", queue: "mail", priority: 0 };

describe("HelpCalls", () => {
  it("calls when work has waited for a few milliseconds, and not before", () => {
    const { clock, calls } = make();
    calls.waiting(place, clock.monotonicMs(), 0);
    expect(calls.nextMs()).toBe(CALL_AFTER_MS);
    expect(calls.take(clock.monotonicMs())).toEqual([]);
    move(clock, CALL_AFTER_MS);
    expect(calls.take(clock.monotonicMs())).toMatchObject([place]);
  });

  it("does not call when a claim left nothing meanwhile", () => {
    const { clock, calls } = make();
    calls.waiting(place, clock.monotonicMs(), 0);
    calls.emptied(place);
    move(clock, 1_000);
    expect(calls.take(clock.monotonicMs())).toEqual([]);
    expect(calls.nextMs()).toBeNull();
  });

  it("gives claims their time: a slow server is no overload", () => {
    const { clock, calls } = make();
    calls.waiting(place, clock.monotonicMs(), 20);
    move(clock, 40);
    expect(calls.take(clock.monotonicMs())).toEqual([]);
    move(clock, 10);
    expect(calls.take(clock.monotonicMs())).toMatchObject([place]);
  });

  it("calls again once a period while the work still waits", () => {
    const { clock, calls } = make();
    calls.waiting(place, clock.monotonicMs(), 0);
    let called = 0;
    for (let ms = 0; ms < 1_000; ms++) {
      called += calls.take(clock.monotonicMs()).length;
      move(clock, 1);
    }
    expect(called).toBe(Math.ceil((1_000 - CALL_AFTER_MS) / CALL_PERIOD_MS));
  });

  it("does not call more often when the work is gone now and then", () => {
    const { clock, calls } = make();
    let called = 0;
    for (let ms = 0; ms < 1_000; ms++) {
      calls.waiting(place, clock.monotonicMs(), 0);
      called += calls.take(clock.monotonicMs()).length;
      if (ms % 7 === 6) calls.emptied(place);
      move(clock, 1);
    }
    expect(called).toBeLessThanOrEqual(1_000 / CALL_PERIOD_MS);
  });

  it("calls the more seldom the more others call, so that all together stay at one call a period", () => {
    const clock = new ManualClock();
    const all = Array.from({ length: 50 }, () => new HelpCalls());
    let called = 0;
    for (let ms = 0; ms < 10_000; ms++) {
      for (const [at, one] of all.entries()) {
        const own = { segment: `s${at}`, queue: "mail", priority: 0 };
        one.waiting(own, clock.monotonicMs(), 0);
        if (one.take(clock.monotonicMs()).length === 0) continue;
        if (ms >= 2_000) called++;
        for (const other of all) if (other !== one) other.heard(own.segment, clock.monotonicMs(), 0);
      }
      move(clock, 1);
    }
    expect(called).toBeLessThan((1.5 * 8_000) / CALL_PERIOD_MS);
    expect(called).toBeGreaterThan(0);
  });

  it("is not quiet for those that call for lower priorities, and calls sooner when a higher one comes", () => {
    const { clock, calls } = make();
    for (let at = 0; at < 50; at++) calls.heard(`s${at}`, clock.monotonicMs(), 0);
    calls.waiting(place, clock.monotonicMs(), 0);
    move(clock, CALL_AFTER_MS);
    expect(calls.take(clock.monotonicMs())).toMatchObject([place]);
    expect(calls.nextMs()).toBe(CALL_AFTER_MS + 51 * CALL_PERIOD_MS);
    calls.waiting({ ...place, priority: 5 }, clock.monotonicMs(), 0);
    move(clock, CALL_PERIOD_MS);
    expect(calls.take(clock.monotonicMs())).toMatchObject([{ ...place, priority: 5 }]);
    calls.waiting(place, clock.monotonicMs(), 0);
    move(clock, CALL_PERIOD_MS);
    expect(calls.take(clock.monotonicMs())).toMatchObject([{ ...place, priority: 0 }]);
  });

  it("is loud again when the others have fallen silent", () => {
    const { clock, calls } = make();
    for (let at = 0; at < 50; at++) calls.heard(`s${at}`, clock.monotonicMs(), 0);
    move(clock, 1_500);
    calls.waiting(place, clock.monotonicMs(), 0);
    move(clock, CALL_AFTER_MS);
    expect(calls.take(clock.monotonicMs())).toMatchObject([place]);
    move(clock, CALL_PERIOD_MS);
    expect(calls.take(clock.monotonicMs())).toMatchObject([place]);
  });
});

function make(): { readonly clock: ManualClock; readonly calls: HelpCalls } {
  return { clock: new ManualClock(), calls: new HelpCalls() };
}

function move(clock: ManualClock, byMs: number): void {
  clock.moveTo(clock.nowMs() + byMs);
}

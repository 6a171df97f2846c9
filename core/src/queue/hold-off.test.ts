import { describe, expect, it } from "vitest";
import { seededRandom } from "../base/random.js";
import { ManualClock } from "../testing/manual-clock.js";
import { HoldOff, SPAN_MS_FIRST, SPAN_MS_MAX } from "./hold-off.js";

const place = { segment: "far", queue: "mail", priority: 0 };

describe("HoldOff", () => {
  it("goes to an unknown Segment within its first span, and once", () => {
    const { clock, holdOff } = make();
    holdOff.heard(place, false, clock.monotonicMs());
    const dueMs = holdOff.nextMs(clock.monotonicMs());
    expect(dueMs).toBeGreaterThan(0);
    expect(dueMs).toBeLessThanOrEqual(SPAN_MS_FIRST);
    move(clock, SPAN_MS_FIRST);
    expect(holdOff.take(clock.monotonicMs(), [])).toMatchObject([place]);
    expect(holdOff.take(clock.monotonicMs(), ["mail"])).toEqual([]);
    expect(holdOff.nextMs(clock.monotonicMs())).toBeNull();
  });

  it("goes at once where it found work last", () => {
    const { clock, holdOff } = make();
    holdOff.answered("far", true);
    holdOff.heard(place, false, clock.monotonicMs());
    expect(holdOff.take(clock.monotonicMs(), [])).toMatchObject([place]);
  });

  it("waits longer and longer where others were faster, and never longer than the longest span", () => {
    const { clock, holdOff } = make();
    let latestMs = 0;
    for (let i = 0; i < 200; i++) {
      holdOff.answered("far", false);
      const nowMs = clock.monotonicMs();
      holdOff.heard(place, false, nowMs);
      const waitMs = (holdOff.nextMs(nowMs) ?? nowMs) - nowMs;
      expect(waitMs).toBeLessThanOrEqual(SPAN_MS_MAX);
      latestMs = Math.max(latestMs, waitMs);
      move(clock, SPAN_MS_MAX);
      holdOff.take(clock.monotonicMs(), []);
    }
    expect(latestMs).toBeGreaterThan(SPAN_MS_MAX / 2);
  });

  it("stays away from a Segment that rings again and again: somebody empties it", () => {
    const { clock, holdOff } = make();
    for (let i = 0; i < 5; i++) holdOff.answered("far", false);
    let went = 0;
    for (let i = 0; i < 400; i++) {
      holdOff.heard(place, false, clock.monotonicMs());
      move(clock, 1);
      went += holdOff.take(clock.monotonicMs(), ["mail"]).length;
    }
    expect(went).toBe(0);
  });

  it("does not stay away for ever: one list of a Queue may ring while another waits", () => {
    const { clock, holdOff } = make();
    for (let i = 0; i < 5; i++) holdOff.answered("far", false);
    let went = 0;
    while (went === 0 && clock.monotonicMs() < 10_000) {
      holdOff.heard(place, false, clock.monotonicMs());
      move(clock, 0.1);
      went += holdOff.take(clock.monotonicMs(), ["mail"]).length;
    }
    expect(went).toBe(1);
    expect(clock.monotonicMs()).toBeGreaterThan(10 * SPAN_MS_MAX);
    expect(clock.monotonicMs()).toBeLessThan(17 * SPAN_MS_MAX);
  });

  it("answers a call for help only while idle, and forgets an old one", () => {
    const { clock, holdOff } = make();
    holdOff.heard(place, true, clock.monotonicMs());
    move(clock, SPAN_MS_FIRST);
    expect(holdOff.take(clock.monotonicMs(), [])).toEqual([]);
    move(clock, 100);
    expect(holdOff.take(clock.monotonicMs(), ["mail"])).toMatchObject([place]);
    holdOff.heard(place, true, clock.monotonicMs());
    move(clock, 1_000);
    expect(holdOff.take(clock.monotonicMs(), ["mail"])).toEqual([]);
  });

  it("lets a call bring a wait to its end sooner, never put it off", () => {
    const { clock, holdOff } = make();
    holdOff.heard(place, false, clock.monotonicMs());
    const dueMs = holdOff.nextMs(clock.monotonicMs()) ?? 0;
    move(clock, dueMs / 2);
    holdOff.heard(place, true, clock.monotonicMs());
    expect(holdOff.nextMs(clock.monotonicMs())).toBeLessThanOrEqual(dueMs);
    move(clock, SPAN_MS_FIRST);
    expect(holdOff.take(clock.monotonicMs(), [])).toMatchObject([place]);
  });

  it("lets one of ten Foremen find a Segment nobody attends within a fraction of the span", () => {
    const clock = new ManualClock();
    const foremen = Array.from({ length: 10 }, (_, seed) => new HoldOff(seededRandom(seed + 1)));
    for (const one of foremen) one.heard(place, false, clock.monotonicMs());
    const firstMs = Math.min(...foremen.map((one) => one.nextMs(clock.monotonicMs()) ?? 0));
    expect(firstMs).toBeLessThan(SPAN_MS_FIRST / 2);
    expect(firstMs).toBeGreaterThan(0);
  });
});

function make(): { readonly clock: ManualClock; readonly holdOff: HoldOff } {
  return { clock: new ManualClock(), holdOff: new HoldOff(seededRandom(7)) };
}

function move(clock: ManualClock, byMs: number): void {
  clock.moveTo(clock.nowMs() + byMs);
}

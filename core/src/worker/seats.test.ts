/** Seats: of a begin and a taking back, exactly one happens, and the seat is free in the end. */
import { describe, expect, it } from "vitest";
import { BEATS, BEGUN_SEAT, createSeatsBuffer, FREE, GIVEN, Seats, TAKEN_BACK } from "./seats.js";

function setUp(count: number) {
  const buffer = createSeatsBuffer(count);
  return { foreman: new Seats(buffer, count), worker: new Seats(buffer, count) };
}

describe("a seat", () => {
  it("that was begun cannot be taken back, and one taken back is not begun", () => {
    const { foreman, worker } = setUp(3);
    foreman.give(0);
    expect(worker.begin(0, 250)).toBe(true);
    expect(foreman.takeBack(0)).toBe(false);
    expect([foreman.stateOf(0), foreman.limitOf(0)]).toEqual([BEGUN_SEAT, 250]);
    foreman.give(2);
    expect(foreman.stateOf(2)).toBe(GIVEN);
    expect(foreman.takeBack(2)).toBe(true);
    expect(foreman.takeBack(2)).toBe(false);
    expect(foreman.stateOf(2)).toBe(TAKEN_BACK);
  });

  it("taken back is free only once the Worker has passed over its record", () => {
    const { foreman, worker } = setUp(1);
    foreman.give(0);
    foreman.takeBack(0);
    expect(worker.begin(0, 1)).toBe(false);
    expect(foreman.stateOf(0)).toBe(FREE);
    foreman.give(0);
    expect(worker.begin(0, Number.POSITIVE_INFINITY)).toBe(true);
    expect(foreman.limitOf(0)).toBe(Number.POSITIVE_INFINITY);
  });

  it("disturbs no neighbour, whatever the number of seats", () => {
    for (const count of [1, 2, 7, 64]) {
      const { foreman, worker } = setUp(count);
      worker.write(BEATS, 5);
      for (let seat = 0; seat < count; seat++) foreman.give(seat);
      for (let seat = 0; seat < count; seat += 2) worker.begin(seat, seat + 0.5);
      for (let seat = 0; seat < count; seat++) {
        expect(foreman.stateOf(seat)).toBe(seat % 2 === 0 ? BEGUN_SEAT : GIVEN);
        if (seat % 2 === 0) expect(foreman.limitOf(seat)).toBe(seat + 0.5);
      }
      expect(foreman.read(BEATS)).toBe(5);
    }
  });
});

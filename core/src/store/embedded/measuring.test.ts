/** That the guess at a Segment's memory follows what it holds: as it fills, as it is worked off, as it is forgotten. */
import { expect, it } from "vitest";
import { type AnswerOf, apply, newSegment, type ParamsOf } from "./machine.js";
import { memoryOf } from "./measuring.js";

const MIB = 1024 * 1024;
const retainMs = 60_000;

it("X29: counts what waits, runs and is kept, whatever its way, and nothing once it is forgotten", () => {
  const state = newSegment("s");
  let nowMs = 1_767_225_600_000;
  const call = <Name extends Parameters<typeof apply>[1]>(name: Name, params: ParamsOf<Name>): AnswerOf<Name> =>
    apply(state, name, params, nowMs * 1000);
  const body = new Uint8Array(1024);
  call("lane_open", { laneName: "a.00", queue: null });
  call("lane_open", { laneName: "a.01", queue: "q" });
  expect(memoryOf(state)).toBe(0);
  const elements = (first: number) =>
    Array.from({ length: 1000 }, (_, i) => {
      return { counter: first + i, queue: "late", priority: 0, due: { in: 60_000 }, body, ties: null };
    });
  for (let first = 1; first < 10_000; first += 1000) {
    call("enqueue", { lane: 2, laneName: "a.01", first, bodies: Array.from({ length: 1000 }, () => body) });
    call("enqueue_full", { lane: 1, laneName: "a.00", elements: elements(first) });
  }
  expect(memoryOf(state) / MIB).toBeCloseTo((20_000 * (1024 + 365)) / MIB, 0);
  for (let request = 1; request <= 10; request++) {
    const { claims } = call("claim", { owner: "o", request, queues: ["q"], max: 1000 });
    if (request > 5) continue;
    call("complete", { owner: "o", retainMs, held: claims, values: claims.map(() => new Uint8Array(16)) });
  }
  // A quarter runs, a quarter is done: of that only its result is left.
  expect(memoryOf(state) / MIB).toBeCloseTo((15_000 * (1024 + 530) + 5_000 * (16 + 40 + 100)) / MIB, 0);
  call("rescue", { owner: "o", beat: 10, max: 10_000, recoveriesMax: 0, retainMs, poison: new Uint8Array(1) });
  nowMs += 1_000_000;
  for (let round = 0; round < 100; round++) call("prune", { max: 1000 });
  expect(memoryOf(state) / MIB).toBeCloseTo((10_000 * (1024 + 530)) / MIB, 0);
});

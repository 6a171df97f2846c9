import { expect, it } from "vitest";
import { seededRandom } from "../base/random.js";
import type { OutcomeAnswer } from "../engine/transitions.js";
import { createCounters } from "../queue/counters.js";
import { ManualClock } from "../testing/manual-clock.js";
import type { Assignment } from "../worker/port.js";
import { Completer, type CompleterOptions } from "./completer.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const left: (readonly [counter: number, hasEnded: boolean])[] = [];
  let answer = (): void => undefined;
  const call = (): Promise<{ answers: OutcomeAnswer[] }> =>
    new Promise((resolve) => {
      answer = () => resolve({ answers: ["ok"] });
    });
  const options = {
    store: { complete: call, fail: call, release: call },
    segments: { view: () => ({ held: 1 }) },
    ...{ owner: "o", clock: new ManualClock(), random: seededRandom(1), counters: createCounters() },
    ...{ isWatched: () => false, settled: () => undefined, answered: () => undefined },
    left: ({ counter }: { counter: number }, hasEnded: boolean) => left.push([counter, hasEnded]),
  };
  const completer = new Completer(options as unknown as CompleterOptions); // what is called here
  const attempt = (counter: number, recoveries: number) =>
    ({ segment: "s", claim: { lane: 1, counter, token: 1, recoveries }, step: {} }) as unknown as Assignment; // what is looked at
  return { completer, attempt, left, answer: () => answer() };
}

it("X8: holds a suspect until the store has its outcome: a death meanwhile would count against it", async () => {
  const { completer, attempt, left, answer } = setUp();
  const ends = [
    () => completer.completed(attempt(1, 3), new Uint8Array()),
    () => completer.failed(attempt(2, 2), new Uint8Array(), 10),
    () => completer.released(attempt(3, 2), null),
    () => void completer.giveBack([{ segment: "s", claims: [attempt(4, 2).claim] }]),
    () => completer.completed(attempt(5, 1), new Uint8Array()), // no suspect
  ];
  for (const [i, end] of ends.entries()) {
    end();
    await turn();
    expect(left, `before answer ${i + 1}`).toHaveLength(i);
    answer();
    await turn();
  }
  expect(left).toEqual([
    [1, true],
    [2, true],
    [3, false],
    [4, false],
  ]);
});

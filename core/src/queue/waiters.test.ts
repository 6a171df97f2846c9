/** Waits that come and go for one Operation: none is forgotten. */
import { expect, it } from "vitest";
import { seededRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import type { FindAnswer } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import { createCounters } from "./counters.js";
import { afterTick } from "./tick.js";
import { type Ending, WAIT_POLL_MS, Waiters } from "./waiters.js";

const tick = () => new Promise<void>((resolve) => afterTick(resolve));
const dot = { laneName: "AAAAAAAAAAAA.01", counter: 1 };

function setUp() {
  const finds: ((answer: FindAnswer) => void)[] = [];
  const store = { find: () => new Promise<FindAnswer>((resolve) => finds.push(resolve)), ready: async () => undefined };
  const clock = new ManualClock();
  const counters = createCounters();
  const waiters = new Waiters(
    { store: store as unknown as Store, clock, random: seededRandom(1), counters },
    WAIT_POLL_MS,
  );
  const endings: string[] = [];
  const wait = (name: string) =>
    waiters.wait("s", dot, {
      settled: (ending: Ending) => endings.push(`${name} ${ending.state}`),
      failed: (error) => endings.push(`${name} ${error.message}`),
    });
  return { waiters, finds, clock, counters, endings, wait };
}

it("a wait begun after another was given up gets its own answer", async () => {
  const { finds, endings, wait } = setUp();
  const giveUp = wait("first");
  await tick();
  giveUp();
  wait("second");
  await tick();
  for (const answer of finds) answer({ records: ["pruned"] });
  await tick();
  expect(endings).toEqual(["second pruned"]);
});

it("a store that is away is asked once, however long it is away", async () => {
  const { finds, clock, endings, wait } = setUp();
  wait("patient");
  await tick();
  for (let poll = 0; poll < 100; poll++) clock.moveTo(clock.nowMs() + WAIT_POLL_MS);
  await tick();
  expect(finds.length).toBeLessThanOrEqual(2);
  for (const answer of finds) answer({ records: ["missing"] });
  await tick();
  expect(endings).toEqual(["patient missing"]);
});

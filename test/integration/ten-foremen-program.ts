/**
 * One of ten Foremen: an App in a process of its own, with a Node's name and a Segment of its own. Shares nothing with
 * the others but the server.
 *
 * One argument, JSON of `ForemanProgramOptions`. On its standard input: `enqueue` fills its Segment and answers
 * `enqueued`; `pause` and `resume` do so to the Queue and answer `done`; `start` answers `started`; `report` answers one line of JSON, a `ForemanReport`;
 * `end` closes and ends with code 0.
 */
import { createInterface } from "node:readline";
import { App } from "@millrace/core";
import { type ClaimAnswer, type ClaimParams, RedisStore } from "@millrace/core/internal";

/** What a Foreman is told. */
export interface ForemanProgramOptions {
  readonly store: string;
  readonly app: string;
  readonly node: string;
  /** Operations to enqueue, over the priorities by turns. */
  readonly count: number;
  readonly priorities: readonly number[];
}

/** One Operation in one claim's answer: Segment, token, place in the claim, lane, counter, priority. */
export type ClaimRow = readonly [string, number, number, string, number, number];

/** One start: id, token, number in enqueue order among its Segment and priority, priority, Node that enqueued it. */
export type StartRow = readonly [string, number, number, number, string];

/** What a Foreman did. */
export interface ForemanReport {
  readonly node: string;
  readonly enqueued: readonly string[];
  readonly claims: readonly ClaimRow[];
  readonly starts: readonly StartRow[];
  readonly metrics: Readonly<Record<string, number>>;
}

const options = JSON.parse(process.argv[2] ?? "{}") as ForemanProgramOptions; // written by ten-foremen.test.ts
const claims: ClaimRow[] = [];
const starts: StartRow[] = [];

// What the store hands out is written down where it arrives, before anybody here can change its order.
const { claim } = RedisStore.prototype;
RedisStore.prototype.claim = async function (this: RedisStore, segment: string, params: ClaimParams) {
  const answer: ClaimAnswer = await claim.call(this, segment, params);
  for (const [place, one] of answer.claims.entries()) {
    claims.push([segment, one.token, place, one.laneName, one.counter, one.priority]);
  }
  return answer;
};

const app = new App({ id: options.app, store: options.store, nodeId: options.node });
const step = app.step("count", async (input: { n: number; priority: number; node: string }, context) => {
  starts.push([context.operationId, Number(context.fence), input.n, input.priority, input.node]);
  return input.n;
});
const enqueued: string[] = [];

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "enqueue") await fill();
  else if (line === "start") {
    await app.start();
    console.log("started");
  } else if (line === "pause" || line === "resume") {
    await (line === "pause" ? app.queue("async").pause() : app.queue("async").resume());
    console.log("done");
  } else if (line === "report") {
    const report: ForemanReport = { node: options.node, enqueued, claims, starts, metrics: app.metrics() };
    console.log(JSON.stringify(report));
  } else if (line === "end") break;
}
await app.close();
process.exit(0);

async function fill(): Promise<void> {
  const { priorities, count, node } = options;
  const handles = Array.from({ length: count }, (_, i) => {
    const priority = priorities[i % priorities.length] ?? 0;
    return step.enqueue({ n: Math.floor(i / priorities.length), priority, node }, { priority });
  });
  for (const handle of await Promise.all(handles)) enqueued.push(handle.id);
  console.log("enqueued");
}

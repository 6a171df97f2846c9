/**
 * One Node of an App with several servers: enqueues steadily, runs what there is, and writes down what it was told.
 *
 * One argument, JSON of `SitesProgramOptions`. Prints `ready` once it works. On its standard input: `drain` ends the
 * enqueueing and answers `drained` when every enqueue has been answered; `report` answers, as one line of JSON, what it
 * finds for every id in the log; `end` closes and ends with code 0.
 */
import { createHash, randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { App, isMillraceError, type StatusView } from "@millrace/core";
import { note, readLog } from "./log.js";

/** What a Node is told. */
export interface SitesProgramOptions {
  readonly stores: readonly string[];
  readonly app: string;
  readonly node: string;
  /** The effect log that all Nodes append to. */
  readonly log: string;
  /** A line per answered enqueue: Node, when it was asked and answered (ms since 1970), answer, id, text. */
  readonly enqueues: string;
  /** Enqueues in a round, and milliseconds between rounds. */
  readonly batch: number;
  readonly pauseMs: number;
}

/** One answered enqueue. */
export interface AnsweredEnqueue {
  readonly node: string;
  readonly askedMs: number;
  readonly answeredMs: number;
  /** The id, or the code of what refused it. */
  readonly answer: string;
  readonly isAccepted: boolean;
  readonly text: string;
}

/** How long after the end of all work a Node may still refuse to answer for a server that is back. */
const FIND_AGAIN_MS = 6_000;

const options = JSON.parse(process.argv[2] ?? "{}") as SitesProgramOptions; // written by sites-run.ts
const owner = options.node;
/** Of what runs or ran here: the generation and token of its latest start. */
const started = new Map<string, { generation: number; token: number }>();

const app = new App({ id: options.app, store: options.stores, nodeId: options.node });
const step = app.step("work", { retries: 3, retryDelay: "10ms" }, async (input: { text: string }, context) => {
  const generation = Number(context.idempotencyKey.slice(context.idempotencyKey.lastIndexOf("#") + 1));
  const token = Number(context.fence);
  const { operationId: id, attempt } = context;
  started.set(id, { generation, token });
  note(options.log, { kind: "start", id, generation, attempt, token, owner, hash: hashOf(input.text) });
  await pause(2);
  return input.text.length;
});
app.on("operation.completed", ({ id }) => {
  const { generation = 0, token = 0 } = started.get(id) ?? {};
  note(options.log, { kind: "outcome", transition: "complete", id, generation, token, owner, answer: "ok" });
});

let isDraining = false;
let unanswered = 0;

await app.start();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "go") void produce();
  else if (line === "drain") await drain();
  else if (line === "report") await report();
  else if (line === "end") break;
}
await app.close();
process.exit(0);

/** Rounds begin in time, whatever became of those before: some enqueues wait for a server that is away. */
async function produce(): Promise<void> {
  while (!isDraining) {
    for (let i = 0; i < options.batch; i++) void enqueueOne();
    await pause(options.pauseMs);
  }
}

async function enqueueOne(): Promise<void> {
  const text = randomBytes(12).toString("hex");
  const askedMs = Date.now();
  let answer = "";
  unanswered++;
  try {
    const { id } = await step.enqueue({ text });
    answer = id;
    note(options.log, { kind: "enqueue", id, hash: hashOf(text), answer: "acknowledged" });
  } catch (error) {
    if (!isMillraceError(error)) throw error;
    answer = error.code;
  }
  unanswered--;
  const isAccepted = !answer.startsWith("MR_");
  const line: AnsweredEnqueue = { node: owner, askedMs, answeredMs: Date.now(), answer, isAccepted, text };
  appendFileSync(options.enqueues, `${JSON.stringify(line)}\n`);
}

async function drain(): Promise<void> {
  isDraining = true;
  while (unanswered > 0) await pause(20);
  console.log("drained");
}

/** Waits for the end of everything any Node was told of, then reads it all by this Node's own way. */
async function report(): Promise<void> {
  const ids = [
    ...new Set(readLog(options.log).flatMap((event) => (event.kind === "enqueue" ? [event.id] : []))),
  ].sort();
  for (let at = 0; at < ids.length; at += 500) {
    await Promise.all(
      ids.slice(at, at + 500).map((id) =>
        app
          .handle(id)
          .wait({ timeout: "60s" })
          .catch(() => null),
      ),
    );
  }
  const found: Record<string, string> = {};
  for (let at = 0; at < ids.length; at += 500) {
    const some = ids.slice(at, at + 500);
    const views = await Promise.all(some.map((id) => statusOf(id)));
    for (const [i, id] of some.entries()) found[id] = JSON.stringify(views[i]);
  }
  console.log(JSON.stringify({ node: owner, metrics: app.metrics(), found }));
}

/** A Node that no work led to the healed server may still be about to find it again: asked for as long as that takes. */
async function statusOf(id: string): Promise<StatusView | string | null> {
  const untilMs = Date.now() + FIND_AGAIN_MS;
  for (;;) {
    try {
      return await app.handle(id).status();
    } catch (error) {
      if (!isMillraceError(error)) throw error;
      if (!error.retryable || Date.now() > untilMs) return error.code;
      await pause(100);
    }
  }
}

function hashOf(text: string): string {
  return createHash("sha1").update(text).digest("base64url");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

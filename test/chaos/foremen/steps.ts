/**
 * The App under chaos: Steps that write down when they begin, what clock they see and when they are told to stop.
 *
 * A program imports it and starts it (program.ts); Worker threads and `millrace foreman` import it by themselves.
 */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { App, type StepContext } from "@millrace/core";
import { hashOf } from "./hash.js";
import { journalOf, sharedMs, write } from "./journal.js";
import { letGoFile, readSettings } from "./settings.js";

/** What a Step under chaos is given. */
export interface Task {
  /** Place in the order of enqueueing. */
  readonly n: number;
  /** How long it takes. */
  readonly ms: number;
  readonly text: string;
}

/** What it answers: whose Attempt it was. */
export interface Answer {
  readonly token: number;
  readonly owner: string;
}

const settings = readSettings();
const journal = journalOf(settings.dir);
const owner = `p${process.pid}`;
const isThreaded = settings.form !== "inline";

export const app = new App({
  id: settings.app,
  store: settings.store,
  nodeId: settings.node,
  // The mix stays as it is: what a play measures must not change with its load.
  workers: { asyncWorkers: settings.asyncWorkers, slots: settings.slots, autoOptimize: false },
  ...(isThreaded ? { module: import.meta.url } : {}),
});

/** Takes its time. */
export const work = app.step("work", { retries: 0 }, async (task: Task, context) => {
  const answer = begin(task, context);
  await sleep(task.ms, undefined, { signal: context.abort });
  return answer;
});

/** Takes until the harness lets go. */
export const hold = app.step("hold", { retries: 0, timeout: "none" }, async (task: Task, context) => {
  const answer = begin(task, context);
  while (!existsSync(letGoFile(settings.dir))) await sleep(50, undefined, { signal: context.abort });
  return answer;
});

/** Kills the process it runs in, a little after it began. */
export const poison = app.step("poison", { retries: 0 }, async (task: Task, context) => {
  const answer = begin(task, context);
  await sleep(task.ms);
  const atMs = sharedMs();
  write(journal, { kind: "fault", fault: "kill", owner, atMs });
  process.kill(process.pid, "SIGKILL");
  await sleep(60_000);
  return answer;
});

function begin({ n, text }: Task, context: StepContext): Answer {
  const { operationId: id, attempt, idempotencyKey, fence, abort } = context;
  const generation = Number(idempotencyKey.slice(idempotencyKey.lastIndexOf("#") + 1));
  const token = Number(fence);
  const hash = hashOf(text);
  write(journal, {
    ...{ kind: "start", id, generation, attempt, token, owner, hash, n },
    ...{ atMs: sharedMs(), wallMs: Date.now() },
  });
  abort.addEventListener("abort", () => {
    const { kind = "?" } = abort.reason as { kind?: string }; // the reasons of core have a kind
    write(journal, { kind: "abort", id, token, owner, reason: kind, atMs: sharedMs() });
  });
  return { token, owner };
}

/**
 * The App that Foremen of a profile run: every Step writes down when it begins and how it ends, and fails, or takes its
 * Worker or its Foreman with it, where its errand says so.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { App, type StepContext } from "@millrace/core";
import { journalOf, sharedMs, write } from "../foremen/journal.js";
import { readSettings } from "../foremen/settings.js";
import { declareErrands, digestOf, type Errand, type ErrandStep, limitsOf } from "./errands.js";

const settings = readSettings();
const journal = journalOf(settings.dir);
const owner = `p${process.pid}`;

export const app = new App({
  id: settings.app,
  store: settings.store,
  nodeId: settings.node,
  module: import.meta.url,
  network: { timeout: "30m" },
  workers: { asyncWorkers: settings.asyncWorkers, slots: settings.slots, autoOptimize: false },
});

/** The Steps, as whoever enqueues from within this process needs them. */
export const steps = declareErrands(app, run);

async function run(step: ErrandStep, errand: Errand, context: StepContext): Promise<void> {
  const { operationId: id, attempt, idempotencyKey, fence, abort } = context;
  const generation = Number(idempotencyKey.slice(idempotencyKey.lastIndexOf("#") + 1));
  const token = Number(fence);
  const end = (how: "returned" | "threw" | "aborted"): void =>
    write(journal, { kind: "done", id, token, owner, how, atMs: sharedMs() });
  write(journal, {
    ...{ kind: "start", id, generation, attempt, token, owner, hash: digestOf(errand), n: errand.n },
    ...{ atMs: sharedMs(), wallMs: Date.now(), step, ...limitsOf(step, errand) },
  });
  abort.addEventListener("abort", () => {
    const { kind = "?" } = abort.reason as { kind?: string }; // the reasons of core have a kind
    write(journal, { kind: "abort", id, token, owner, reason: kind, atMs: sharedMs() });
    if (step === "martyr" && kind !== "lease_lost") die();
  });
  if (step === "poison") {
    die();
    await sleep(60_000);
  }
  if (step === "stumble" && isFirst(errand)) {
    write(journal, { kind: "fault", fault: "thread", owner, atMs: sharedMs() });
    process.exit(1); // of this Worker thread alone
  }
  try {
    await sleep(errand.ms, undefined, { signal: abort });
  } catch (error) {
    end("aborted");
    throw error;
  }
  if (attempt <= (errand.fails ?? 0)) {
    end("threw");
    throw new Error(`Attempt ${attempt} fails as planned`);
  }
  end("returned");
}

/** Takes the whole Foreman with it. */
function die(): void {
  write(journal, { kind: "fault", fault: "kill", owner, atMs: sharedMs() });
  process.kill(process.pid, "SIGKILL");
}

/** Whether an errand is begun for the first time anywhere. */
function isFirst({ n, text }: Errand): boolean {
  const mark = join(settings.dir, `stumbled-${n}-${text}`);
  if (existsSync(mark)) return false;
  writeFileSync(mark, "");
  return true;
}

/**
 * The program of a process Worker: the same parts as in a thread, over IPC; one Operation at a time.
 *
 * Life: the boot message → import → ready → records → STOP: what was given is finished, exit code 0. It ends with code 1
 * when the module cannot be run, when something is thrown that belongs to no Attempt, and when the Foreman is gone; if
 * its loop stands still then, a thread of its own ends it (lifeline.ts).
 */
import { memoryUsage } from "node:process";
import { Worker } from "node:worker_threads";
import { invariant } from "../base/assert.js";
import { systemClock } from "../base/clock.js";
import { toRemoteError } from "../base/errors.js";
import { systemRandom } from "../base/random.js";
import { Assembly } from "./assembly.js";
import {
  LIFELINE_ENTRY,
  type LifelineData,
  type ProcessBoot,
  type ProcessDownMessage,
  type ProcessUpMessage,
} from "./boot.js";
import type { SeatKeeper } from "./inline.js";
import { IpcWire } from "./ipc-wire.js";
import { portLogger } from "./port-log.js";

/** How often it shows that its loop turns. */
const BEAT_MS = 1_000;

const channel = process.send?.bind(process);
invariant(channel !== undefined, "process.ts is the program of a forked process");
const clock = systemClock;
let assembly: Assembly | null = null;
let beats = 0;
/** Handlers that were given up on and go on. */
let abandoned = 0;

/** There are no seats to keep: nothing that was sent here is taken back. */
const keeper: SeatKeeper = {
  begin: () => true,
  keep: () => undefined,
  entered: () => undefined,
  left: () => undefined,
  ended: () => undefined,
  isTurnOver: () => false,
  turned: () => undefined,
  abandoned: (by) => {
    abandoned += by;
    tell();
  },
};

process.on("message", (message: ProcessDownMessage) => {
  if (message.type === "boot") {
    watchParent(message.parentPid);
    return void start(message.boot);
  }
  for (const record of message.records) {
    const source = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
    assembly?.intake.take(source, 0, source.length, false);
  }
  assembly?.intake.push();
});
process.on("disconnect", () => process.exit(1));

/** Without that thread, if it cannot be had, the process still ends with its Foreman as soon as its loop turns. */
function watchParent(parentPid: number): void {
  const data: LifelineData = { parentPid };
  // None of the flags and preloads this process was started with, and little memory.
  const resourceLimits = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 };
  const lifeline = new Worker(LIFELINE_ENTRY, { workerData: data, execArgv: [], env: {}, resourceLimits });
  lifeline.on("error", () => undefined);
  lifeline.unref();
}

function send(message: ProcessUpMessage, sent?: () => void): void {
  // Whatever became of it: a Foreman that is gone is told nothing more.
  channel?.(message, () => sent?.());
}

async function start(boot: ProcessBoot): Promise<void> {
  const log = portLogger(send, boot.options.isDebug, { worker: boot.id });
  process.on("uncaughtException", (error: unknown) => {
    wire.flush();
    const line = "an error that belongs to no Attempt ends this Worker";
    send({ type: "log", level: "error", fields: { worker: boot.id, error: toRemoteError(error) }, message: line });
    send({ type: "failed", error: toRemoteError(error) }, () => process.exit(1));
  });
  const wire = new IpcWire(send);
  assembly = new Assembly({
    boot,
    wire,
    clock,
    random: systemRandom,
    log,
    slots: 1,
    seats: keeper,
    hasExecutors: false,
    stop: () => void assembly?.finish().then(() => wire.flush(() => process.exit(0))),
  });
  beat();
  try {
    const manifest = await assembly.load();
    send({ type: "ready", manifest });
  } catch (error) {
    send({ type: "failed", error: toRemoteError(error) }, () => process.exit(1));
  }
}

function tell(): void {
  send({ type: "beat", beats: ++beats, heapKb: Math.round(memoryUsage().heapUsed / 1_024), isDirty: abandoned > 0 });
}

function beat(): void {
  const timer = clock.setTimer(BEAT_MS, () => {
    tell();
    beat();
  });
  timer.unref();
}

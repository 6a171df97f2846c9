/**
 * The program of a Worker thread: wires rings, seats, loop and the user's module together, and ends.
 *
 * Life: import (PHASE_STARTING) → ready → turns → STOP: what was given is finished, executors stop, exit code 0. What
 * belongs to no Attempt and is thrown nevertheless ends the thread with code 1: nobody knows what state it left behind.
 */
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../base/assert.js";
import { systemClock } from "../base/clock.js";
import { toRemoteError } from "../base/errors.js";
import { systemRandom } from "../base/random.js";
import { Duplex, type DuplexMemory } from "../ring/duplex.js";
import { AppSeat, placeAppSeat } from "./app-seat.js";
import { Assembly } from "./assembly.js";
import type { ThreadMessage, WorkerBoot } from "./boot.js";
import { loadModule } from "./load-module.js";
import { Loop } from "./loop.js";
import { manifestOf } from "./manifest.js";
import { portLogger } from "./port-log.js";
import { RingWire } from "./ring-wire.js";
import { PHASE_DRAINING, PHASE_TURNING, Seats } from "./seats.js";
import { Vitals } from "./vitals.js";

/** How long the end may wait for the Foreman to read the last outcomes. */
const END_MS = 10_000;

invariant(parentPort !== null, "thread.ts is the program of a Worker thread");
const port = parentPort;
const boot = workerData as WorkerBoot; // its Foreman is of the same copy of this package
const post = (message: ThreadMessage) => port.postMessage(message);
const log = portLogger(post, boot.options.isDebug, { worker: boot.id });
/** What a thread that ends by itself still makes visible. */
let publish = (): void => undefined;

process.on("uncaughtException", (error: unknown) => {
  log.error({ error: toRemoteError(error) }, "an error that belongs to no Attempt ends this Worker");
  post({ type: "failed", error: toRemoteError(error) });
  process.exit(1);
});
process.on("exit", () => publish());

try {
  await (boot.memory === null ? scout() : work(boot.memory));
} catch (error) {
  post({ type: "failed", error: toRemoteError(error) });
  process.exit(1);
}

/** Reads the definitions and ends. */
async function scout(): Promise<void> {
  const load = () => ({ running: 0, buffered: 0 });
  const seat = new AppSeat({ options: boot.options, log, link: null, load });
  placeAppSeat(seat);
  const app = await loadModule(boot.module, boot.exportName, seat);
  post({ type: "ready", manifest: manifestOf(app.id, app.options, app.registry.list()) });
  process.exit(0);
}

/** Gets ready; from then on the loop does everything. */
async function work(memory: DuplexMemory): Promise<void> {
  const clock = systemClock;
  const isBlocking = boot.kind === "blocking";
  const vitals = new Vitals(new Seats(boot.seats, boot.seatCount), clock);
  // The beats come from before the import of the module; the loop is made further down in this same turn.
  vitals.start(() => loop.check());
  const duplex = new Duplex("worker", memory, port);
  const wire = new RingWire({ duplex, memory, vitals, clock, isEager: isBlocking });
  publish = () => wire.publish();
  const assembly = new Assembly({
    boot,
    wire,
    clock,
    random: systemRandom,
    log,
    slots: boot.slots,
    seats: vitals,
    hasExecutors: !isBlocking,
    stop: () => {
      vitals.phase(PHASE_DRAINING);
      void assembly.finish().then(() => {
        wire.flush(END_MS);
        process.exit(0);
      });
    },
  });
  port.on("message", () => loop.bell());
  const loop = new Loop({
    duplex,
    memory,
    intake: assembly.intake,
    wire,
    vitals,
    clock,
    isIdle: () => assembly.isIdle,
    activeResources: () => process.getActiveResourcesInfo(),
  });
  loop.bell();
  const manifest = await assembly.load();
  vitals.phase(PHASE_TURNING);
  post({ type: "ready", manifest });
}

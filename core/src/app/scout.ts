/**
 * The scout: a Worker thread that imports a module only to tell what it declares, and ends. So the main thread knows
 * Steps and options without running a line of the user's code. Used by a Foreman's process before it opens its store.
 */
import { Worker } from "node:worker_threads";
import { type Clock, systemClock } from "../base/clock.js";
import { createError, fromRemoteError } from "../base/errors.js";
import { asThreadMessage, THREAD_ENTRY, type WorkerBoot } from "../worker/boot.js";
import type { Manifest } from "../worker/manifest.js";
import { createSeatsBuffer } from "../worker/seats.js";

/** What a scout looks at. */
export interface ScoutOptions {
  /** File URL of the module. */
  readonly module: string;
  /** Its export that is the App; null to find it. */
  readonly exportName: string | null;
  /** How long the import may take. Milliseconds, default 60 000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

const TIMEOUT_MS = 60_000;

/**
 * Imports a module in a thread of its own and answers its manifest.
 *
 * What the module prints meanwhile goes to standard error. Errors: MR_MODULE_FAILED · MR_TIMEOUT.
 */
export async function scout(options: ScoutOptions): Promise<Manifest> {
  const { module, exportName, timeoutMs = TIMEOUT_MS, clock = systemClock } = options;
  const workerData: WorkerBoot = {
    module,
    exportName,
    id: "scout",
    kind: "async",
    slots: 1,
    memory: null,
    seats: createSeatsBuffer(1),
    seatCount: 1,
    options: {
      appId: null,
      nodeId: "scout",
      durability: { level: "memory", isChecked: true, best: "memory", replicates: false },
      isDebug: false,
    },
  };
  const worker = new Worker(THREAD_ENTRY, { workerData, stdout: true, name: "scout" });
  worker.stdout.pipe(process.stderr, { end: false });
  try {
    return await new Promise<Manifest>((resolve, reject) => {
      const timer = clock.setTimer(timeoutMs, () =>
        reject(createError("MR_TIMEOUT", { what: `importing ${module}`, timeoutMs })),
      );
      const settle = (end: () => void) => {
        timer.cancel();
        end();
      };
      worker.on("message", (told: unknown) => {
        const message = asThreadMessage(told);
        if (message?.type === "ready") settle(() => resolve(message.manifest));
        if (message?.type === "failed") settle(() => reject(fromRemoteError(message.error)));
      });
      const ended = (reason: string, cause?: unknown) =>
        settle(() => reject(createError("MR_MODULE_FAILED", { module, reason }, cause === undefined ? {} : { cause })));
      worker.once("error", (error) => ended(error.message, error));
      // After the answer this says nothing new: a promise settles once.
      worker.once("exit", (code) => ended(`its thread ended with exit code ${code} before it was imported`));
    });
  } finally {
    await worker.terminate();
  }
}

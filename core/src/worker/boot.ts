/**
 * What Foreman and Workers agree on beside the rings: what a Worker is started with, what goes over its port, where its
 * program lies. Types for both sides; the records inside the rings are in protocol.ts.
 *
 * A *process Worker* has no rings: the same records go over its IPC channel in lists, so both sides read and write them
 * with the same code. It is given one Operation at a time and has no seats; the seat in its records is any number.
 *
 * The Foreman's half of the calls that Steps make (ENQUEUE, CALL, END_CALL) is foreman/call-desk.ts:
 * `desk.take(asker, source, offset, length)` for each such record, `desk.drop(asker)` when a Worker is gone.
 */
import type { RemoteError } from "../base/errors.js";
import type { LogFields } from "../base/log.js";
import type { StoreDurability } from "../engine/durability.js";
import type { DuplexMemory } from "../ring/duplex.js";
import type { Manifest } from "./manifest.js";

/** Program of a Worker thread, for `new Worker(THREAD_ENTRY, { workerData: boot })`. */
export const THREAD_ENTRY = new URL("./thread.js", import.meta.url);

/** Program of a process Worker, for `fork(fileURLToPath(PROCESS_ENTRY), { serialization: "advanced" })`. */
export const PROCESS_ENTRY = new URL("./process.js", import.meta.url);

/** Program of the thread that ends a process Worker with its Foreman. */
export const LIFELINE_ENTRY = new URL("./lifeline.js", import.meta.url);

/** What that thread is started with: the process id of the Foreman. */
export interface LifelineData {
  readonly parentPid: number;
}

/** What an App inside a Worker has to know of the Foreman's. */
export interface BootOptions {
  /** Id of the Foreman's App; null for a scout, which is to tell it. */
  readonly appId: string | null;
  /** Name of the Foreman's Node. */
  readonly nodeId: string;
  /** What a receipt of the Foreman's store promises. */
  readonly durability: StoreDurability;
  /** Whether log lines of level debug are wanted over the port. */
  readonly isDebug: boolean;
}

/** `workerData` of a Worker thread: structured-clone data. */
export interface WorkerBoot {
  /** File URL of the user's module. */
  readonly module: string;
  /** Its export that is the App; null to find it. */
  readonly exportName: string | null;
  /** Name of this Worker, for people: "async-1". */
  readonly id: string;
  readonly kind: "async" | "blocking";
  /** Attempts at once; 1 when blocking. A SLOTS record changes it. */
  readonly slots: number;
  /** The rings; null for a scout, which reports the manifest and ends with code 0. */
  readonly memory: DuplexMemory | null;
  readonly seats: SharedArrayBuffer;
  readonly seatCount: number;
  readonly options: BootOptions;
}

/** The same for a process Worker. */
export interface ProcessBoot {
  readonly module: string;
  readonly exportName: string | null;
  readonly id: string;
  readonly options: BootOptions;
}

/** The module is imported, its executors have started: records are welcome. */
export interface ReadyMessage {
  readonly type: "ready";
  readonly manifest: Manifest;
}

/**
 * Why the Worker ends with code 1: the module cannot be run (MR_MODULE_FAILED), an executor did not start, or, once it
 * was ready, something was thrown that belongs to no Attempt.
 */
export interface FailedMessage {
  readonly type: "failed";
  readonly error: RemoteError;
}

/** A log line of the Worker or of a Step; its fields are plain data, errors among them as RemoteError. */
export interface LogMessage {
  readonly type: "log";
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

/** Worker thread → Foreman. `null`: look at your ring. */
export type ThreadMessage = null | ReadyMessage | FailedMessage | LogMessage;

/** Records of protocol.ts, each whole, in order. */
export interface RecordsMessage {
  readonly type: "records";
  readonly records: readonly Uint8Array[];
}

/** Its first message. `parentPid`: the Foreman's process, with which it ends. */
export interface BootMessage {
  readonly type: "boot";
  readonly boot: ProcessBoot;
  readonly parentPid: number;
}

/** Foreman → process Worker. */
export type ProcessDownMessage = BootMessage | RecordsMessage;

/** A sign of life: about once a second while the loop turns, and when `isDirty` changes. */
export interface BeatMessage {
  readonly type: "beat";
  /** Grows by one with each. */
  readonly beats: number;
  readonly heapKb: number;
  /** A handler that was given up on still runs: the process is to be replaced. Told before that Attempt's outcome. */
  readonly isDirty: boolean;
}

/** Process Worker → Foreman. */
export type ProcessUpMessage = ReadyMessage | FailedMessage | LogMessage | RecordsMessage | BeatMessage;

/**
 * What a Worker thread told its Foreman; undefined for what it did not: code of the user's may post over the same port,
 * and must reach nobody by it.
 */
export function asThreadMessage(value: unknown): ThreadMessage | undefined {
  return value === null || isCommon(value) ? value : undefined;
}

/** The same for a process Worker. */
export function asProcessMessage(value: unknown): ProcessUpMessage | undefined {
  return isCommon(value) || isRecords(value) || isBeat(value) ? value : undefined;
}

function isCommon(value: unknown): value is ReadyMessage | FailedMessage | LogMessage {
  const { type, manifest, error, level, fields, message } = partsOf(value);
  switch (type) {
    case "ready":
      return isRecord(partsOf(manifest).app);
    case "failed":
      return typeof partsOf(error).name === "string" && typeof partsOf(error).message === "string";
    case "log":
      return LEVELS.some((one) => one === level) && isRecord(fields) && typeof message === "string";
    default:
      return false;
  }
}

function isRecords(value: unknown): value is RecordsMessage {
  const { type, records } = partsOf(value);
  return type === "records" && Array.isArray(records) && records.every((record) => record instanceof Uint8Array);
}

function isBeat(value: unknown): value is BeatMessage {
  const { type, beats, heapKb, isDirty } = partsOf(value);
  return type === "beat" && typeof beats === "number" && typeof heapKb === "number" && typeof isDirty === "boolean";
}

const LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogMessage["level"][];

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function partsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

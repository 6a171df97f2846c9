/**
 * A job as it lies in the store: what goes in as an Operation's input and what comes out as its result. Small things
 * are left out, since every byte is paid for by every job.
 */
import type { JobProgress, JobsOptions } from "./types.js";

/** One child of a flow, as its parent remembers it. */
export interface ChildRef {
  /** Its Operation's. */
  readonly id: string;
  /** The name it was given, if it was. */
  readonly as?: string;
  readonly queue: string;
  /** Only if it is another one than the parent's. */
  readonly prefix?: string;
  /** What its failure means for the parent; absent: the parent waits on. */
  readonly onFail?: "fail" | "continue" | "ignore" | "remove";
}

/** What a job carries beside its name and data. */
export interface Extras {
  readonly opts?: JobsOptions;
  readonly children?: readonly ChildRef[];
}

/** The input of an Operation. */
export type StoredJob = readonly [name: string, data: unknown, extras?: Extras];

/** The result of an Operation: the input again, since the store forgets it, and what became of it. */
export type StoredResult = readonly [
  returnvalue: unknown,
  name: string,
  data: unknown,
  extras: Extras | null,
  progress: JobProgress | null,
  processedBy: string | null,
];

/** Makes the input of a job. */
export function storedJob(name: string, data: unknown, extras: Extras | undefined): StoredJob {
  // BullMQ gives a job without data an empty object, and programs take `job.data` apart.
  const given = data === undefined ? {} : data;
  return extras === undefined ? [name, given] : [name, given, extras];
}

/** Reads an input; null if it is none of this door's. */
export function readStoredJob(input: unknown): StoredJob | null {
  if (!Array.isArray(input) || input.length < 2 || typeof input[0] !== "string") return null;
  return input as unknown as StoredJob; // written by `storedJob`
}

/** Reads a result; null if it is none of this door's. */
export function readStoredResult(result: unknown): StoredResult | null {
  if (!Array.isArray(result) || result.length < 6 || typeof result[1] !== "string") return null;
  return result as unknown as StoredResult; // written by the Worker
}

/** A progress note as the engine carries it: a number as it is, anything else as JSON. */
export function progressNote(progress: JobProgress): { readonly done: number; readonly note?: string } {
  return typeof progress === "number" && Number.isFinite(progress)
    ? { done: progress }
    : { done: 0, note: JSON.stringify(progress) };
}

/** Reads a progress note. BullMQ says 0 when there is none. */
export function readProgressNote(note: { readonly done: number; readonly note?: string } | null): JobProgress {
  if (note === null) return 0;
  if (note.note === undefined) return note.done;
  try {
    return JSON.parse(note.note) as JobProgress; // written by `progressNote`
  } catch {
    return note.note;
  }
}

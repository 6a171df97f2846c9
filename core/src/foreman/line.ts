/**
 * The line to one Worker (elsewhere: transport): how records reach it and come back, what is known of its life, how it
 * is ended. A thread's is thread-member.ts, a child process's process-member.ts; tests bring their own.
 */
import type { RemoteError } from "../base/errors.js";
import type { LogMessage } from "../worker/boot.js";
import type { Manifest } from "../worker/manifest.js";
import type { Seats } from "../worker/seats.js";

/** Where records for a Worker are written; ring/frame.ts has this shape. */
export interface RecordSink {
  /** Where to write the record that `begin` opened. */
  readonly target: Buffer;
  /** Opens a record of up to `bytes`; it begins at the offset returned. */
  begin(bytes: number): number;
  /** Ends it with its true length. */
  end(bytes: number): void;
}

/** What the Foreman does with seats. */
export type SeatBook = Pick<Seats, "count" | "give" | "free" | "takeBack" | "stateOf">;

/** Signs of life of a Worker. */
export interface Vitals {
  /** Changes while its event loop turns. */
  readonly beats: number;
  /** Seat of the Attempt whose handler is being called right now; -1 for none. */
  readonly current: number;
  /** Attempts begun so far; wraps at 2^32. */
  readonly begun: number;
  readonly heapKb: number;
  /** A handler that was given up on still runs there: it is to be replaced. */
  readonly isDirty: boolean;
}

/** How a Worker's life ended. */
export interface LineEnd {
  /** Exit code of the thread or process; null if a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  /** What it died of, if it was thrown. */
  readonly error: unknown;
}

/** What a line tells. Nothing is told after `exited`. */
export interface LineEvents {
  ready(manifest: Manifest): void;
  /** It cannot run the module, or caught what belongs to no Attempt; `exited` follows. */
  failed(error: RemoteError): void;
  log(line: LogMessage): void;
  /** Something may have come: `drain` looks. */
  rung(): void;
  exited(end: LineEnd): void;
}

/** One Worker's line. */
export interface Line {
  readonly sink: RecordSink;
  readonly seats: SeatBook;
  /** What was written waits for room: give no more until it rings. */
  readonly isFull: boolean;
  /** How often the Worker was rung, and how often its ring was full: figures. */
  readonly rings: number;
  readonly fulls: number;
  /** Sends what was written. */
  publish(): void;
  /** Hands over each record that came; valid during the call. Errors: MR_RING_BROKEN. */
  drain(take: (source: Buffer, offset: number, length: number) => void): void;
  vitals(): Vitals;
  /** Time this Worker's event loop was busy since the last call, in ms; null if that is not known. */
  busyMs(): number | null;
  /** What it runs now, as the text of a JavaScript stack, or null; within half a second. */
  captureStack(): Promise<string | null>;
  /** Ends it by force; `exited` follows. */
  kill(): void;
}

/**
 * The log of a run: one file that every process appends to, a line an event, and what reads it while it grows.
 *
 * Times in it are of the machine's monotonic clock, which all processes share and no fault here moves.
 */
import { appendFileSync, closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { BeginEvent, ForemanEvent } from "../../checker/foremen.js";
import type { RunEvent } from "../../checker/run-history.js";

/** Now, in milliseconds of the clock that all processes of this machine share. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** Path of a run's log. */
export function journalOf(dir: string): string {
  return join(dir, "foremen.log");
}

/** Appends an event; returns when the operating system has it, so that a kill afterwards cannot take it back. */
export function write(path: string, event: RunEvent): void {
  appendFileSync(path, `${JSON.stringify(event)}\n`);
}

/** Reads a growing log piece by piece. What kinds of events there are is up to who writes them. */
export class Journal<Event extends RunEvent = ForemanEvent> {
  readonly path: string;
  readonly events: Event[] = [];
  /** What every process has begun so far: owner → `id token`. */
  readonly begun = new Map<string, Set<string>>();
  readonly #file: number;
  #offset = 0;
  #rest = "";

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, "a+");
  }

  /** Appends an event. */
  write(event: Event): void {
    write(this.path, event);
  }

  /** Takes in what was written since. */
  read(): void {
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      const bytes = readSync(this.#file, buffer, 0, buffer.length, this.#offset);
      if (bytes === 0) break;
      this.#offset += bytes;
      // One byte a character: a piece may end within a line, and all that is written here is plain.
      const lines = (this.#rest + buffer.toString("latin1", 0, bytes)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line) as Event); // written by `write`
    }
  }

  #take(event: Event): void {
    this.events.push(event);
    if (event.kind !== "start") return;
    const { owner, id, token } = event as BeginEvent; // every start is one
    const begun = this.begun.get(owner) ?? new Set();
    this.begun.set(owner, begun);
    begun.add(`${id} ${token}`);
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.#file);
  }
}

/**
 * worker_mix.log: decisions as JSON lines, rotated by size. The only writer of that file; one line in flight at a time.
 *
 * A log that cannot be written must not hurt work: lines are dropped and counted, and the first error after a good
 * line is told to the program's log.
 */
import { appendFile, rename, rm, stat } from "node:fs/promises";
import type { Logger } from "../base/log.js";
import type { Decision } from "./mix/decision.js";

/** Where and how much. */
export interface MixLogOptions {
  /** Path of the file; rotated ones get .1, .2 … behind it. */
  readonly path: string;
  /** Size from which the file is rotated. Default 16 MiB. */
  readonly bytesMax?: number;
  /** Files kept, the present one included. Default 4. */
  readonly files?: number;
  readonly log: Logger;
  /** Called for each line that was lost. */
  readonly lost?: () => void;
}

const BYTES_MAX = 16 * 2 ** 20;
const FILES = 4;
/** Lines that wait for the disk at most: a minute of the most talkative change there is. */
const LINES_MAX = 1_000;

/** Writes decisions. */
export class MixLog {
  readonly #options: Required<Pick<MixLogOptions, "bytesMax" | "files">> & MixLogOptions;
  #lines: string[] = [];
  #bytes: number | null = null;
  #writing: Promise<void> | null = null;
  #isBroken = false;

  constructor(options: MixLogOptions) {
    this.#options = { bytesMax: BYTES_MAX, files: FILES, ...options };
  }

  /** Writes a line soon; never throws. */
  write(decision: Decision): void {
    if (this.#lines.length >= LINES_MAX) return void this.#options.lost?.();
    this.#lines.push(`${JSON.stringify(decision)}\n`);
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything was written or dropped. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      try {
        await this.#append(lines.join(""));
        this.#isBroken = false;
      } catch (error) {
        this.#bytes = null;
        for (const _ of lines) this.#options.lost?.();
        if (!this.#isBroken) {
          this.#options.log.warn({ path: this.#options.path, error }, "the mix log cannot be written");
        }
        this.#isBroken = true;
      }
    }
    this.#writing = null;
  }

  async #append(text: string): Promise<void> {
    const { path, bytesMax } = this.#options;
    this.#bytes ??= await sizeOf(path);
    if (this.#bytes > 0 && this.#bytes + text.length > bytesMax) {
      await this.#rotate();
      this.#bytes = 0;
    }
    await appendFile(path, text);
    this.#bytes += Buffer.byteLength(text);
  }

  /** The oldest goes, each other one moves up by one. */
  async #rotate(): Promise<void> {
    const { path, files } = this.#options;
    const name = (at: number) => (at === 0 ? path : `${path}.${at}`);
    await rm(name(files - 1), { force: true });
    for (let at = files - 2; at >= 0; at--) await rename(name(at), name(at + 1)).catch(ignoreMissing);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    ignoreMissing(error);
    return 0;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}

/** Says how far the run is: a bar on a terminal, else a line every few seconds. Writes to stderr. */
import { Presets, SingleBar } from "cli-progress";
import { whole } from "./report.js";

const LINE_EVERY_MS = 3_000;

/** Counts files from `done` up to `total`. */
export class Progress {
  readonly #total: number;
  readonly #startedMs = performance.now();
  readonly #doneBefore: number;
  readonly #bar: SingleBar | null;
  readonly #timer: NodeJS.Timeout | null = null;
  #done: number;

  constructor(total: number, done: number) {
    this.#total = total;
    this.#done = done;
    this.#doneBefore = done;
    this.#bar = process.stderr.isTTY ? newBar() : null;
    if (this.#bar !== null) this.#bar.start(total, done, { rate: "0" });
    else this.#timer = setInterval(() => this.#line(), LINE_EVERY_MS);
  }

  /** One more file is done. */
  add(): void {
    this.#done++;
    this.#bar?.update(this.#done, { rate: this.#rate() });
  }

  /** Ends the display; safe to call twice. */
  stop(): void {
    this.#bar?.stop();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #line(): void {
    process.stderr.write(`${whole(this.#done)} of ${whole(this.#total)} files, ${this.#rate()} files/s\n`);
  }

  #rate(): string {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    return whole(Math.round((this.#done - this.#doneBefore) / Math.max(seconds, 0.001)));
  }
}

function newBar(): SingleBar {
  const format = "{bar} {percentage} % · {value} of {total} files · {rate} files/s · {eta} s left";
  return new SingleBar({ format, hideCursor: true }, Presets.shades_classic);
}

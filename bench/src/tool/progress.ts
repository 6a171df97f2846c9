/** A progress line on stderr, when somebody watches; silent in a pipe. */
import { Presets, SingleBar } from "cli-progress";

/** Counts steps of known number. */
export interface Progress {
  /** Says what is being done now. */
  doing(what: string): void;
  /** One step is done. */
  step(): void;
  end(): void;
}

/** A bar of `steps` steps. */
export function startProgress(steps: number): Progress {
  if (!process.stderr.isTTY) return { doing: () => {}, step: () => {}, end: () => {} };
  const bar = new SingleBar(
    { format: " {bar} {value}/{total}  {what}", stream: process.stderr, clearOnComplete: true, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(steps, 0, { what: "" });
  return {
    doing: (what) => bar.update({ what }),
    step: () => bar.increment(),
    end: () => bar.stop(),
  };
}

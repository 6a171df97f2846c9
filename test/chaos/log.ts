/**
 * The effect log: every process under chaos appends to one file, a line an event, each line in one write. So it
 * survives the death of its writers, and its order is the order in which things were seen to happen.
 */
import { appendFileSync, readFileSync } from "node:fs";
import type { HistoryEvent } from "../checker/history.js";

/** Appends an event; returns when the operating system has it. */
export function note(path: string, event: HistoryEvent): void {
  appendFileSync(path, `${JSON.stringify(event)}\n`);
}

/** Reads a log; a last line cut by a kill is left out. */
export function readLog(path: string): HistoryEvent[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return []; // nobody has written yet
  }
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as HistoryEvent); // written by `note`
}

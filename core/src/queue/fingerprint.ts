/**
 * The fingerprint of an error (elsewhere: grouping hash, issue key): equal for failures of one cause, whatever ids,
 * numbers and texts their messages carry.
 * Made of the code (or name), the message with all that varies taken out, and the top frame without its line, so that
 * a release that moves code does not tear groups apart. Pure; used by lists of dead letters.
 */
import { createHash } from "node:crypto";
import type { RemoteError } from "../base/errors.js";

const MESSAGE_MAX = 300;
const DIGITS = 12;

/** Returns 12 hexadecimal digits. */
export function fingerprintOf(error: RemoteError): string {
  const parts = [error.code ?? error.name, normalise(error.message), topFrame(error.stack) ?? ""];
  return createHash("sha1").update(parts.join("\n")).digest("hex").slice(0, DIGITS);
}

/** Takes out of a message what differs from one failure to the next: quoted texts, ids, numbers, times. */
export function normalise(message: string): string {
  const line = String(message).split("\n", 1)[0] ?? "";
  return line
    .slice(0, MESSAGE_MAX)
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, "“…”")
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "#")
    .replace(/\b[\w-]+(?:\.[\w-]+)*\.[0-9a-z]{25}\.[0-9a-z]+\b/g, "#") // ids of Operations
    .replace(/\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{6,}\b/gi, "#")
    .replace(/\d+/g, "#")
    .replace(/\s+/g, " ")
    .trim();
}

/** The first frame of a stack that is not Node's own: function and file, without line and column; null without one. */
export function topFrame(stack: string | undefined): string | null {
  const frames = String(stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim().slice(3));
  const frame = frames.find((one) => !one.includes("node:")) ?? frames[0];
  if (frame === undefined) return null;
  return frame.replace(/:\d+(?::\d+)?\)?$/, "").replace(/\(?file:\/\//, "");
}

/** The beginning of a stack, for lists: name and message, then the topmost frames. */
export function stackHead(error: RemoteError, frames = 3): string {
  const lines = String(error.stack ?? `${error.name}: ${error.message}`).split("\n");
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  return lines.slice(0, first < 0 ? 1 : first + frames).join("\n");
}

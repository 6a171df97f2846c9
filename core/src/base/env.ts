/**
 * What core takes from its surroundings: environment variables and the host's name. No other file in core reads
 * them, so that everything else behaves the same wherever it runs.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { pid } from "node:process";
import { createError, show } from "./errors.js";

/** What the name of a Node must match. */
export const NODE_ID_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;

/** Where this process runs. */
export interface Machine {
  readonly host: string;
  /** Tells machines, and containers of one machine, apart; the same for all processes of one until it boots again. */
  readonly id: string;
  readonly pid: number;
}

/** Returns the machine this process runs on. */
export function thisMachine(): Machine {
  const host = hostname();
  return { host, id: `${host} ${bootId()}`, pid };
}

/** Differs for each boot of each machine; empty where the system tells none: then the host's name must do. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}

/** Returns an environment variable, or undefined if it is absent or empty. */
export function readEnv(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}

/**
 * Returns the name of this Node: `given`, else NODE_ID, else the host's name.
 *
 * It becomes the text of a Segment, so a name that does not fit is refused rather than changed: two hosts whose
 * names differ only in what a change removes would write one Segment.
 *
 * Errors: MR_INVALID_OPTION unless it is 1 to 64 of A-Z a-z 0-9 . _ -.
 */
export function resolveNodeId(given?: string): string {
  const fromEnv = readEnv("NODE_ID");
  if (given !== undefined) return checkNodeId(given, "nodeId");
  if (fromEnv !== undefined) return checkNodeId(fromEnv, "NODE_ID (environment)");
  return checkNodeId(hostname(), "nodeId (from the host's name; set NODE_ID)");
}

function checkNodeId(value: string, path: string): string {
  if (NODE_ID_PATTERN.test(value)) return value;
  throw createError("MR_INVALID_OPTION", {
    path,
    problem: `expected 1 to 64 of A-Z a-z 0-9 . _ -, got ${show(value)}`,
  });
}

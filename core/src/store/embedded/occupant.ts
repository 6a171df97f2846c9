/**
 * Who uses an embedded store (elsewhere: lock file): one process at a time, and how a dead one is recognised.
 *
 * The entry of the owner stands in the store itself and is exchanged in an LMDB write transaction, so of two
 * processes that come at once one sees the other. It is taken for dead when its boot is over, when its process id is
 * free, or when that id began at another time, in the same process id namespace. In another namespace (a container
 * on the same directory) nobody can look: then the owner shows life by touching lock.mdb every few seconds.
 */
import { readFileSync, readlinkSync, statSync, utimesSync } from "node:fs";
import { hostname } from "node:os";
import { pid } from "node:process";
import { systemRandom } from "../../base/random.js";
import type { RecordReader, RecordWriter } from "./layout.js";

/** The entry of the process that uses the store. */
export interface Occupant {
  readonly pid: number;
  /** Of the machine's present boot; empty where the system tells none. */
  readonly bootId: string;
  /** When the process began, in whatever the system counts in; empty where it does not tell. */
  readonly startedAt: string;
  /** Process id namespace. */
  readonly namespace: string;
  readonly host: string;
  readonly app: string;
  /** Differs for each opening. */
  readonly opening: string;
}

/** How often an occupant touches the file by which others see that it lives, in milliseconds. */
export const TOUCH_PERIOD_MS = 5_000;

/** A occupant nobody can look at is taken for dead after this silence, in milliseconds. */
export const SILENCE_MAX_MS = 20_000;

/** The entry of this process. */
export function thisOccupant(app: string): Occupant {
  return {
    pid,
    bootId: readBootId(),
    startedAt: readStart(pid),
    namespace: readNamespace(),
    host: hostname(),
    app,
    opening: systemRandom.text(64),
  };
}

/** Whether the process of an entry may still use the store. `touchedFile` is the one it touches. */
export function isAlive(occupant: Occupant, touchedFile: string, nowMs: number): boolean {
  const here = thisOccupant("");
  if (occupant.bootId !== here.bootId && occupant.host === here.host) return false;
  if (occupant.bootId !== here.bootId || occupant.namespace !== here.namespace) return !isSilent(touchedFile, nowMs);
  if (!exists(occupant.pid) || isDefunct(occupant.pid)) return false;
  return occupant.startedAt === readStart(occupant.pid);
}

/** Shows life to processes in other namespaces. Errors: none, a file system that refuses is no reason to stop. */
export function touch(file: string, nowMs: number): void {
  try {
    utimesSync(file, nowMs / 1000, nowMs / 1000);
  } catch {
    // It shows elsewhere soon enough.
  }
}

function isSilent(file: string, nowMs: number): boolean {
  try {
    return nowMs - statSync(file).mtimeMs > SILENCE_MAX_MS;
  } catch {
    return true;
  }
}

function exists(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // kill throws system errors only
  }
}

/** Dead, but its parent has not asked how it died: its id is taken, the process is gone. */
function isDefunct(processId: number): boolean {
  const [state] = readStat(processId);
  return state === "Z" || state === "X";
}

function readBootId(): string {
  return readText("/proc/sys/kernel/random/boot_id").trim();
}

/** Field 22 of /proc/PID/stat. */
function readStart(processId: number): string {
  return readStat(processId)[19] ?? "";
}

/** The fields of /proc/PID/stat from the third on; the name in the second may hold anything, so count from its end. */
function readStat(processId: number): readonly string[] {
  const stat = readText(`/proc/${processId}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Writes an entry's fields. */
export function writeOccupant(writer: RecordWriter, occupant: Occupant): void {
  writer.uint(occupant.pid);
  writer.text(occupant.bootId);
  writer.text(occupant.startedAt);
  writer.text(occupant.namespace);
  writer.text(occupant.host);
  writer.text(occupant.app);
  writer.text(occupant.opening);
}

/** Reads what `writeOccupant` wrote. Throws Damage. */
export function readOccupant(value: RecordReader): Occupant {
  const occupant = {
    pid: value.uint(),
    bootId: value.text(),
    startedAt: value.text(),
    namespace: value.text(),
    host: value.text(),
    app: value.text(),
    opening: value.text(),
  };
  value.end();
  return occupant;
}

/**
 * One Foreman per Node, App and store on a host (elsewhere: pid file). A lock is a file that names its process and when
 * that began: a process that is gone, or another one that got the same number, owns nothing. Other hosts are the
 * store's affair (`node_beat`).
 */
import { createHash, randomUUID } from "node:crypto";
import { accessSync, constants, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createServerError } from "../errors.js";

/** What is locked. */
export interface LockName {
  readonly app: string;
  readonly node: string;
  /** Two Foremen of one name on two stores never meet. */
  readonly store: string;
}

/** A lock that is held. */
export interface NodeLock {
  /** Lets go; may be called twice. */
  release(): void;
}

interface Owner {
  readonly pid: number;
  /** When the process began, in the system's own words; null where it does not say. */
  readonly began: string | null;
}

/** Tries to get rid of a dead owner's lock before it is given up. */
const TRIES_MAX = 20;

/** Where locks lie: a directory of this user's, emptied by the system now and then. Throws if it cannot be used. */
export function lockDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env.XDG_RUNTIME_DIR;
  const directory =
    runtime === undefined || runtime === ""
      ? join(tmpdir(), `millrace-${process.platform === "win32" ? "locks" : userInfo().uid}`)
      : join(runtime, "millrace");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  accessSync(directory, constants.W_OK);
  return directory;
}

/** Takes the lock of a Node. Errors: MR_FOREMAN_RUNNING while its owner lives. */
export function lockNode(name: LockName, directory: string = lockDirectory()): NodeLock {
  const hash = createHash("sha256").update(`${name.app}\n${name.node}\n${name.store}`).digest("hex").slice(0, 24);
  const path = join(directory, `foreman-${hash}.lock`);
  const own: Owner = { pid: process.pid, began: beganAt(process.pid) };
  // The draft's name makes each entry one of its kind: letting go never removes another one's, not even our own next.
  const entry = randomUUID();
  const text = JSON.stringify({ ...own, ...name, entry });
  // A link is made whole or not at all: no other process ever reads half an entry.
  const draft = join(directory, `${hash}.${entry}.draft`);
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      if (tryLink(draft, path)) return { release: () => release(path, text) };
      const found = read(path);
      if (found === null) continue; // let go just now
      const owner = parse(found);
      if (owner !== null && isAlive(owner)) {
        throw createServerError("MR_FOREMAN_RUNNING", { node: name.node, app: name.app, pid: owner.pid });
      }
      bury(path, found);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw createServerError("MR_FOREMAN_RUNNING", { node: name.node, app: name.app, pid: "unknown" });
}

/**
 * Removes a dead owner's entry. It is moved aside first: if what was moved is not what was judged, a living process has
 * taken the lock meanwhile, and gets its entry back.
 */
function bury(path: string, judged: string): void {
  const aside = `${path}.${randomUUID()}.dead`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another contender was first
  }
  if (read(aside) !== judged) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function release(path: string, text: string): void {
  if (read(path) === text) rmSync(path, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false; // fs throws errors with codes
    throw error;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function parse(text: string): Owner | null {
  try {
    const { pid, began } = JSON.parse(text) as Partial<Owner>; // looked at field by field
    return typeof pid === "number" ? { pid, began: typeof began === "string" ? began : null } : null;
  } catch {
    return null;
  }
}

function isAlive({ pid, began }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it is there, and another user's
  }
  const now = beganAt(pid);
  return began === null || now === null || began === now;
}

/** When a process began: ticks since the machine did, and which life of the machine it is. */
function beganAt(pid: number): string | null {
  const boot = read("/proc/sys/kernel/random/boot_id");
  const stat = read(`/proc/${pid}/stat`);
  if (boot === null || stat === null) return null;
  // The second field is the program's name in brackets, which may hold anything; ours is the 22nd.
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined ? null : `${boot.trim()}:${ticks}`;
}

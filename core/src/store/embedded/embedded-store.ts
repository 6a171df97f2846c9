/**
 * The embedded store: machines made durable on LMDB, in the process that uses them. Nothing to install, one process.
 *
 * A call applies its transition at once; group-commit.ts writes what was touched and releases the answer at the level
 * of `durability`: `memory` (the commit follows), `aof` (committed: survives the end of the process) or `flushed`
 * (survives the end of the machine). Bells are hints and ring at once; settled, progress and marks are told when what
 * they tell is as safe as an answer. After a crash everything stands as committed; what ran is still held by owners
 * of the process that died: `deadOwners` names them, `rescueAtOpen` gives their work back before `open` resolves.
 */
import { type Clock, systemClock, type Timer } from "../../base/clock.js";
import { createError, type MillraceError } from "../../base/errors.js";
import { type Logger, silentLogger } from "../../base/log.js";
import { type DurabilityLevel, isImplied, type Secured, type StoreDurability } from "../../engine/durability.js";
import type { SecureParams } from "../../engine/store.js";
import type { EnqueueFullParams, EnqueueParams } from "../../engine/transitions.js";
import { type Directory, damaged, openDirectory } from "./directory.js";
import { type CommitLevel, GroupCommit } from "./group-commit.js";
import { isDirty, writeDirty } from "./journal.js";
import {
  Damage,
  openValue,
  type RecordReader,
  type RecordWriter,
  readSegmentKey,
  readStoreKey,
  STORE_KIND,
  storeKey,
} from "./layout.js";
import { type DirectoryChange, MachineStore, type StoreCall, type StoreEvent } from "./machine-store.js";
import { TOUCH_PERIOD_MS } from "./occupant.js";
import { rebuild, type StoredSegment } from "./recovery.js";
import { Room } from "./room.js";

/** How work of owners that died with the last process is given back. */
export interface RescueAtOpen {
  readonly recoveriesMax: number;
  readonly retainMs: number;
  /** Outcome bytes of what was recovered too often. */
  readonly poison: Uint8Array;
}

/** What an embedded store is made with. */
export interface EmbeddedStoreOptions {
  /** Its directory; made if absent. */
  readonly path: string;
  readonly app: string;
  /** Default `aof`. `fsync` is another word for `flushed`. */
  readonly durability?: DurabilityLevel;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Default: nothing is rescued, see `deadOwners`. */
  readonly rescueAtOpen?: RescueAtOpen;
}

/** An owner whose process is gone. */
export interface DeadOwner {
  readonly segment: string;
  readonly owner: string;
  readonly beat: number;
  readonly held: number;
}

/** Calls that add work: refused while room is short, so that what is there can still be finished. */
const ADDS: ReadonlySet<StoreCall> = new Set<StoreCall>(["enqueue", "enqueue_full"]);

/** How long `close` waits for a disk that does not answer. */
const CLOSE_MAX_MS = 30_000;

/** Calls that write nothing to disk. */
const READS: ReadonlySet<StoreCall> = new Set<StoreCall>([
  "find",
  "peek",
  "list",
  "counts",
  "segments",
  "nodes",
  "node_beat",
  "node_leave",
]);

/** A Store in a directory of this machine, used by one process at a time. */
export class EmbeddedStore extends MachineStore {
  readonly url: string;
  readonly durability: StoreDurability;
  readonly #options: EmbeddedStoreOptions;
  readonly #level: CommitLevel;
  readonly #logger: Logger;
  /** Segment → its number in keys. */
  readonly #numbers = new Map<string, number>();
  /** Changes of the directory that no cut has written yet. */
  #changes: DirectoryChange[] = [];
  #deadOwners: readonly DeadOwner[] = [];
  /** Set from `open` to `close`. */
  #directory: Directory | null = null;
  #commits: GroupCommit | null = null;
  #touching: Timer | null = null;
  #phase: "new" | "open" | "closed" = "new";
  #opening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  /** A bug stopped the store. */
  #broken: unknown = null;
  #room: Room | null = null;
  /** The commit that was refused was refused for want of room. */
  #isFull = false;
  #onReady: { resolve(): void; reject(error: unknown): void }[] = [];

  constructor(options: EmbeddedStoreOptions) {
    super(options.app, options.clock ?? systemClock, true);
    this.#options = options;
    this.#level = levelOf(options.durability ?? "aof");
    this.#logger = options.logger ?? silentLogger;
    this.url = `embedded:${options.path}`;
    this.durability = { level: this.#level, isChecked: true, best: "flushed", replicates: false };
  }

  /** Owners found at `open`, all of processes that are gone. Rescue them at their beats; nobody else is alive. */
  deadOwners(): readonly DeadOwner[] {
    return this.#deadOwners;
  }

  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  ready(): Promise<void> {
    if (this.#phase === "closed") return Promise.reject(this.#closed("ready"));
    if (this.#broken !== null) return Promise.reject(this.refusal("counts", {}));
    if (this.#commits?.isFailing !== true) return Promise.resolve();
    return new Promise((resolve, reject) => this.#onReady.push({ resolve, reject }));
  }

  /** The one disk there is: whatever is asked for beyond the store's own level, its flush is waited for. */
  protected async reach({ asked }: SecureParams): Promise<Omit<Secured, "missing">> {
    if (isImplied(this.durability, asked)) return { level: this.#level, replicas: 0 };
    await this.#commits?.flush("secure");
    return { level: "flushed", replicas: 0 };
  }

  async #open(): Promise<void> {
    if (this.#phase === "closed") throw this.#closed("open");
    const { path, app } = this.#options;
    const directory = await openDirectory({ path, app, url: this.url, clock: this.clock });
    this.#directory = directory;
    try {
      this.#load(directory);
    } catch (error) {
      this.#directory = null;
      await directory.leave();
      if (error instanceof Damage) throw damaged(this.url, error.reason, path);
      throw error;
    }
    this.#commits = new GroupCommit({
      file: directory.file,
      level: this.#level,
      clock: this.clock,
      collect: (writer) => this.#collect(writer),
      indeterminate: (call, cause) => createError("MR_INDETERMINATE", { call, id: "the same arguments" }, { cause }),
      failed: (error, bytes) => this.#failed(error, bytes),
      mayRetry: (bytes) => this.#room?.hasFor(bytes) !== false,
      healed: () => this.#healed(),
      written: () => this.#room?.measure(),
    });
    const { file, space } = directory;
    this.#room = new Room({ clock: this.clock, space, freeInside: () => file.freeBytes() });
    this.#phase = "open";
    this.#keepTouching();
    await this.#rescueDead();
  }

  async #close(): Promise<void> {
    const wasOpen = this.#opening;
    if (wasOpen === null) {
      this.#phase = "closed";
      return;
    }
    await wasOpen.catch(() => {});
    this.#phase = "closed";
    this.#touching?.cancel();
    for (const { reject } of this.#onReady.splice(0)) reject(this.#closed("ready"));
    await Promise.race([this.#commits?.drain(), this.#after(CLOSE_MAX_MS)]);
    this.#commits?.abandon(this.#closed("the call"));
    await this.#directory?.leave();
    this.#directory = null;
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.setTimer(ms, resolve).unref();
    });
  }

  // ── What the base asks ───────────────────────────────────────────────────────────────────────────────────────────

  protected refusal(call: StoreCall, params: object): MillraceError | null {
    if (this.#phase === "closed") return this.#closed(call);
    if (this.#phase === "new") {
      const needs = { app: this.app, state: "not open", method: call, expected: "open" };
      return createError("MR_APP_STATE", needs);
    }
    if (this.#broken !== null) {
      const reason = "a bug in Millrace stopped it; what was committed is safe, start the process again";
      return createError("MR_STORE_UNAVAILABLE", { store: this.url, reason }, { cause: this.#broken });
    }
    if (this.#commits?.isFailing === true) return this.#failing(call);
    const shortage = ADDS.has(call) ? this.#room?.take(() => bytesOf(params)) : null;
    if (typeof shortage === "string") return createError("MR_STORE_FULL", { store: this.url, reason: shortage });
    return null;
  }

  protected answer<T>(call: StoreCall, answer: T): Promise<T> {
    const commits = this.#commits;
    if (commits === null) return Promise.resolve(answer);
    if (!READS.has(call)) commits.touch();
    return commits.release(call, answer);
  }

  protected publish(events: readonly StoreEvent[]): void {
    const hints = events.filter(({ event }) => isHint(event));
    if (hints.length > 0) this.deliver(hints);
    if (hints.length === events.length) return;
    const others = events.filter(({ event }) => !isHint(event));
    this.#commits?.touch();
    this.#commits?.tell(() => this.deliver(others));
  }

  protected broke(error: unknown): void {
    this.#broken = error;
    this.#logger.error({ store: this.url, error }, "the embedded store stops: a transition threw");
    this.#commits?.abandon(error);
  }

  protected directoryChanged(change: DirectoryChange): void {
    if ("segment" in change) this.#numbers.set(change.segment, this.#numbers.size + 1);
    this.#changes.push(change);
    this.#commits?.touch();
  }

  #failing(call: StoreCall): MillraceError {
    const reason = "the last commit was refused and is being tried again";
    return this.#isFull && ADDS.has(call)
      ? createError("MR_STORE_FULL", { store: this.url, reason: "its disk is full" })
      : createError("MR_STORE_UNAVAILABLE", { store: this.url, reason });
  }

  #closed(method: string): MillraceError {
    return createError("MR_APP_CLOSED", { app: this.app, method });
  }

  // ── Disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #collect(writer: RecordWriter): void {
    for (const change of this.#changes.splice(0)) this.#writeChange(writer, change);
    for (const [segment, state] of this.states) {
      if (isDirty(state)) writeDirty(state, this.#numbers.get(segment) ?? 0, writer);
    }
  }

  #writeChange(writer: RecordWriter, change: DirectoryChange): void {
    if ("segment" in change) {
      writer.begin();
      writer.uint(this.#numbers.get(change.segment) ?? 0);
      writer.end(storeKey(STORE_KIND.segment, change.segment));
    } else if (change.isPaused) {
      writer.begin();
      writer.end(storeKey(STORE_KIND.pause, change.queue));
    } else {
      writer.remove(storeKey(STORE_KIND.pause, change.queue));
    }
  }

  /** Reads everything. Throws Damage. */
  #load({ file }: Directory): void {
    const segments = new Map<number, StoredSegment>();
    for (const { key, value } of file.records()) {
      const reader = openValue(key, value);
      const place = readSegmentKey(key);
      if (place === null) {
        this.#readStoreRecord(key, reader);
        continue;
      }
      let stored = segments.get(place.segment);
      if (stored === undefined) {
        stored = new Map();
        segments.set(place.segment, stored);
      }
      const records = stored.get(place.kind);
      const record = { kind: place.kind, key: place.rest, value: reader };
      if (records === undefined) stored.set(place.kind, [record]);
      else records.push(record);
    }
    for (const [segment, number] of [...this.#numbers].sort((a, b) => a[1] - b[1])) {
      this.states.set(segment, rebuild(segment, segments.get(number) ?? new Map()));
      segments.delete(number);
    }
    if (segments.size > 0) throw new Damage("it holds records of a Segment without a name");
    this.#deadOwners = [...this.states].flatMap(([segment, state]) =>
      [...state.owners.values()].map(({ name, beat, held }) => ({ segment, owner: name, beat, held })),
    );
  }

  #readStoreRecord(key: Buffer, value: RecordReader): void {
    switch (key[0]) {
      case STORE_KIND.segment:
        this.#numbers.set(readStoreKey(key), value.uint());
        return value.end();
      case STORE_KIND.pause:
        this.paused.add(readStoreKey(key));
        return value.end();
      case STORE_KIND.about:
      case STORE_KIND.occupant:
        return undefined;
      default:
        throw new Damage(`it holds a record of unknown kind ${key[0]}`);
    }
  }

  async #rescueDead(): Promise<void> {
    const { rescueAtOpen } = this.#options;
    if (rescueAtOpen === undefined || this.#deadOwners.length === 0) return;
    for (const { segment, owner, beat } of this.#deadOwners) {
      const state = this.states.get(segment);
      if (state === undefined) continue;
      const params = { owner, beat, max: 1000, ...rescueAtOpen };
      while (this.run("rescue", state, params).left > 0);
    }
    this.#deadOwners = [];
    await this.answer("rescue", undefined);
  }

  #keepTouching(): void {
    this.#touching = this.clock.setTimer(TOUCH_PERIOD_MS, () => {
      this.#directory?.touch();
      this.#keepTouching();
    });
    this.#touching.unref();
  }

  #failed(error: unknown, bytes: number): void {
    this.#logger.error(
      { store: this.url, error, bytes },
      "a commit was refused; nothing more is taken until it stands",
    );
    this.#isFull = this.#room?.hasFor(bytes) === false;
  }

  #healed(): void {
    this.#logger.info({ store: this.url }, "the refused commit was written; work goes on");
    this.#isFull = false;
    this.#room?.measure();
    for (const { resolve } of this.#onReady.splice(0)) resolve();
    this.restored();
  }
}

/** What a call that adds work brings, in bytes. */
function bytesOf(params: object): number {
  const { bodies, elements } = params as Partial<EnqueueParams & EnqueueFullParams>; // of one of the calls in ADDS
  let bytes = 0;
  for (const body of bodies ?? []) bytes += body.length;
  for (const { body } of elements ?? []) bytes += body.length;
  return bytes;
}

function levelOf(durability: DurabilityLevel): CommitLevel {
  return durability === "fsync" ? "flushed" : durability;
}

/** Hints promise nothing, so they need not wait until what they hint at is durable. */
function isHint(event: StoreEvent["event"]): boolean {
  return event.kind === "bell" || event.kind === "due";
}

/**
 * The one place that knows LMDB: opens an environment, writes a batch in one transaction, reads it all back.
 * Must not know what the records mean.
 *
 * Overlapping sync: a commit is visible, and safe from the end of the process, before it is flushed; the flush runs
 * beside the next transaction, and a machine that fails goes back to the last flushed one, whole. No writemap: a full
 * disk would end the process. Keys and values are bytes; nothing is compressed.
 */
import { ABORT, open, type RootDatabase } from "lmdb";
import type { Write } from "./layout.js";

/** A batch under way. */
export interface Commit {
  /** Resolves when the batch would survive the end of this process. */
  readonly committed: Promise<void>;
  /** Resolves when it would survive the end of this machine; says nothing if `committed` rejects. */
  readonly flushed: Promise<void>;
}

/** An open environment. */
export interface LmdbFile {
  /** Runs `fn` in a write transaction, now; null from it aborts, else what it returns is written. */
  exchange(fn: (read: (key: Buffer) => Buffer | null) => readonly Write[] | null): void;
  /** Writes a batch, all or nothing, after all batches before it. The bytes must not change until it is committed. */
  write(writes: readonly Write[]): Commit;
  /** Every record in order of keys, as its own copy. */
  records(): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  /** Bytes of the file that hold nothing at present and will be used before it grows. */
  freeBytes(): number;
  /** Forgets readers whose process is gone. */
  checkReaders(): void;
  close(): Promise<void>;
}

/** Address space to reserve, tried in this order; it costs nothing until used, but a limit may forbid it. */
const MAP_SIZES = [2 ** 40, 2 ** 36, 2 ** 32, 2 ** 28];

/** Opens the environment in a directory that exists. Throws what LMDB and the file system throw. */
export function openLmdb(directory: string): LmdbFile {
  const db = openWithRoom(directory);
  return {
    exchange: (fn) => {
      db.transactionSync(() => {
        const writes = fn((key) => db.getBinary(key) ?? null);
        if (writes === null) return ABORT;
        for (const { key, value } of writes) {
          if (value === null) db.removeSync(key);
          else db.putSync(key, value);
        }
        return undefined;
      });
    },
    write: (writes) => {
      const batch = db.batch(() => {
        for (const { key, value } of writes) {
          if (value === null) db.remove(key);
          else db.put(key, value);
        }
      });
      const { flushed } = batch as Promise<boolean> & { flushed?: Promise<unknown> }; // `separateFlushed` adds it
      return {
        committed: batch.then(ignore, (error: unknown) => causeOf(error)),
        flushed: Promise.all([batch, flushed]).then(ignore),
      };
    },
    records: () => db.getRange({ snapshot: true }) as Iterable<{ key: Buffer; value: Buffer }>, // binary keys and values
    freeBytes: () => {
      const stats = db.getStats() as LmdbStats; // the package types it as {}
      const used = pagesOf(stats.root) + pagesOf(stats.free);
      return Math.max(0, (stats.lastPageNumber + 1 - used) * stats.root.pageSize);
    },
    checkReaders: () => {
      db.readerCheck();
    },
    close: () => db.close(),
  };
}

interface TreeStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface LmdbStats {
  readonly root: TreeStats;
  readonly free: TreeStats;
  readonly lastPageNumber: number;
}

function pagesOf(tree: TreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}

function openWithRoom(directory: string): RootDatabase<Buffer, Buffer> {
  let refusal: unknown;
  for (const mapSize of MAP_SIZES) {
    try {
      return open<Buffer, Buffer>({
        path: directory,
        noSubdir: false,
        encoding: "binary",
        keyEncoding: "binary",
        mapSize,
        overlappingSync: true,
        separateFlushed: true,
        // A batch is one transaction already: waiting a turn for more only adds latency.
        eventTurnBatching: false,
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== OUT_OF_MEMORY) throw error; // any object may lack a code
      refusal = error;
    }
  }
  throw refusal;
}

const OUT_OF_MEMORY = 12;

function ignore(): void {
  // The value says nothing.
}

/** LMDB's own reason of a failed commit stands behind a second promise, which must be heard. */
async function causeOf(error: unknown): Promise<never> {
  const { commitError } = error as { commitError?: Promise<never> }; // any object may lack it
  if (commitError !== undefined) await commitError;
  throw error;
}

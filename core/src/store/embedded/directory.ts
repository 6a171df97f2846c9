/**
 * Opening the directory of an embedded store: everything that must be so before its records are believed.
 *
 * In this order: the directory can be written and lies on a local disk; nobody uses it; its file is sound; LMDB opens
 * it; the file is a Millrace store of our schema and App, or empty; this process becomes its occupant, in one write
 * transaction. Whatever is refused is refused before anything was written to the file.
 */
import { accessSync, constants, existsSync, mkdirSync, realpathSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.js";
import { createError, isMillraceError, type MillraceError } from "../../base/errors.js";
import { checkFile, readValue } from "./file-check.js";
import { Damage, FILE_SCHEMA, openValue, RecordWriter, STORE_KIND, storeKey, type Write } from "./layout.js";
import { type LmdbFile, openLmdb } from "./lmdb.js";
import { isAlive, type Occupant, readOccupant, thisOccupant, touch, writeOccupant } from "./occupant.js";

/** What to open, and the name it has in messages. */
export interface DirectoryOptions {
  readonly path: string;
  readonly url: string;
  readonly app: string;
  readonly clock: Clock;
}

/** An opened directory, which is this process's alone until `leave`. */
export interface Directory {
  readonly file: LmdbFile;
  /** Tells processes that cannot look that the occupant lives; also forgets dead readers. */
  touch(): void;
  /** Bytes the file system still has for us, and in all. */
  space(): { readonly free: number; readonly total: number };
  /** Takes the occupant's entry out and closes the file. */
  leave(): Promise<void>;
}

const ABOUT = storeKey(STORE_KIND.about);
const OCCUPANT = storeKey(STORE_KIND.occupant);
const MAGIC = "millrace";

/** Directories open in this process, by their real paths. */
const openHere = new Map<string, string>();

/** Opens or makes a store. Errors: MR_STORE_LOCKED, _UNSAFE, _CORRUPT, _VERSION, _UNAVAILABLE. */
export async function openDirectory(options: DirectoryOptions): Promise<Directory> {
  const { url, app, clock } = options;
  const path = makeDirectory(options);
  const other = openHere.get(path);
  if (other !== undefined) {
    throw locked(url, `${process.pid}, this one, for App ${other}; give each App a directory of its own`);
  }
  checkSound(path, options);
  const file = openFile(path, url);
  const lockFile = join(path, "lock.mdb");
  try {
    const occupant = moveIn(file, lockFile, options);
    openHere.set(path, app);
    touch(lockFile, clock.nowMs());
    return {
      file,
      touch: () => {
        touch(lockFile, clock.nowMs());
        file.checkReaders();
      },
      space: () => {
        const { bavail, blocks, bsize } = statfsSync(path);
        return { free: bavail * bsize, total: blocks * bsize };
      },
      leave: async () => {
        try {
          moveOut(file, occupant);
        } finally {
          await file.close();
          openHere.delete(path);
        }
      },
    };
  } catch (error) {
    // LMDB must be done with the file before anybody opens it again.
    await file.close();
    throw error;
  }
}

/** File systems on a network, by the type that statfs tells: LMDB needs shared memory and locks they do not give. */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
  [0x01021997, "9P"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
]);

function makeDirectory({ path, url }: DirectoryOptions): string {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const network = NETWORK_TYPES.get(statfsSync(path).type >>> 0);
    if (network !== undefined) {
      throw createError("MR_STORE_UNSAFE", { store: url, reason: `it lies on ${network}; choose a local directory` });
    }
    return realpathSync(path);
  } catch (error) {
    if (isMillraceError(error)) throw error;
    const reason = `its directory cannot be made or written: ${messageOf(error)}`;
    throw createError("MR_STORE_UNSAFE", { store: url, reason }, { cause: error });
  }
}

/** The look at the file before LMDB maps it. */
function checkSound(path: string, { url, clock }: DirectoryOptions): void {
  const data = join(path, "data.mdb");
  if (!existsSync(data) || statSync(data).size === 0) return;
  const lockFile = join(path, "lock.mdb");
  const refuseIfUsed = (): void => {
    const occupant = occupantOf(readValue(data, OCCUPANT));
    if (occupant !== null && isAlive(occupant, lockFile, clock.nowMs())) throw lockedBy(url, occupant);
  };
  refuseIfUsed();
  const verdict = checkFile(data);
  if (verdict === null) return;
  refuseIfUsed(); // its owner may have come, and written, while we looked
  throw damaged(url, verdict.reason, data);
}

function openFile(path: string, url: string): LmdbFile {
  try {
    return openLmdb(path);
  } catch (error) {
    const reason = `LMDB does not open it: ${messageOf(error)}`;
    throw createError("MR_STORE_UNAVAILABLE", { store: url, reason }, { cause: error });
  }
}

/** Reads who is there and writes that we are, in one transaction. */
function moveIn(file: LmdbFile, lockFile: string, { url, app, path, clock }: DirectoryOptions): Occupant {
  const occupant = thisOccupant(app);
  let refusal: MillraceError | null = null;
  file.exchange((read) => {
    const present = occupantOf(read(OCCUPANT));
    if (present !== null && isAlive(present, lockFile, clock.nowMs())) {
      refusal = lockedBy(url, present);
      return null;
    }
    const about = read(ABOUT);
    refusal = about === null ? refuseForeign(file, url, path) : refuseOther(about, url, app, path);
    if (refusal !== null) return null;
    const writer = new RecordWriter(1024);
    if (about === null) {
      writer.begin();
      writer.text(MAGIC);
      writer.uint(FILE_SCHEMA);
      writer.text(app);
      writer.end(ABOUT);
    }
    writer.begin();
    writeOccupant(writer, occupant);
    writer.end(OCCUPANT);
    return writer.take();
  });
  if (refusal !== null) throw refusal;
  return occupant;
}

function refuseForeign(file: LmdbFile, url: string, path: string): MillraceError | null {
  for (const { key } of file.records()) {
    return damaged(url, `it holds records that are not Millrace's (the first is ${key.toString("hex", 0, 16)})`, path);
  }
  return null;
}

function refuseOther(about: Buffer, url: string, app: string, path: string): MillraceError | null {
  try {
    const value = openValue(ABOUT, about);
    if (value.text() !== MAGIC) return damaged(url, "its first record is not Millrace's", path);
    const schema = value.uint();
    if (schema !== FILE_SCHEMA) {
      const expected = `${FILE_SCHEMA}; ${path} was left untouched: open it with the release that wrote it`;
      return createError("MR_STORE_VERSION", { store: url, what: "schema", found: schema, expected });
    }
    const owner = value.text();
    value.end();
    if (owner === app) return null;
    const reason = `it belongs to App ${owner}, not to ${app}; give each App a directory of its own`;
    return createError("MR_STORE_UNSAFE", { store: url, reason });
  } catch (error) {
    if (error instanceof Damage) return damaged(url, error.reason, path);
    throw error;
  }
}

function moveOut(file: LmdbFile, occupant: Occupant): void {
  file.exchange((read): Write[] | null => {
    const present = occupantOf(read(OCCUPANT));
    return present?.opening === occupant.opening ? [{ key: OCCUPANT, value: null }] : null;
  });
}

function occupantOf(value: Buffer | null): Occupant | null {
  if (value === null) return null;
  try {
    return readOccupant(openValue(OCCUPANT, value));
  } catch (error) {
    if (error instanceof Damage) return null;
    throw error;
  }
}

/** The file is not what was written. */
export function damaged(store: string, what: string, path: string): MillraceError {
  const reason = `${what}. ${path} was left untouched: restore a copy of it, or move it away to begin anew`;
  return createError("MR_STORE_CORRUPT", { store, reason });
}

function lockedBy(url: string, occupant: Occupant): MillraceError {
  return locked(url, `${occupant.pid} on ${occupant.host}, for App ${occupant.app}`);
}

function locked(store: string, owner: string): MillraceError {
  return createError("MR_STORE_LOCKED", { store, owner });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A look at an LMDB file before LMDB maps it into memory: whether every page its trees name lies inside the file and
 * is what it should be. LMDB itself trusts the file: a page cut off ends the process with SIGBUS, a flipped bit in a
 * page number may too. Values are checked elsewhere, by their checksums (layout.ts).
 *
 * Reads only branch and leaf pages and the first bytes of overflow pages, so a big store costs little more than a
 * small one. While another process writes, what it says is uncertain: ask who owns the store first.
 * Source: the structures MDB_page_header, MDB_meta, MDB_db and MDB_node of data version 2 in LMDB's mdb.c.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";

/** What was found: null if the file is sound, else what is wrong with it. */
export type FileVerdict = { readonly reason: string } | null;

const HEADER = 24;
const META = { magic: 0, version: 4, freeTree: 24, mainTree: 72, lastPage: 120, txn: 128, bootId: 136, end: 144 };
const TREE = { pageSize: 0, flags: 4, depth: 6, root: 40 };
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 };
const NODE_BIG = 0x01;
const NODE_HEAD = 8;
/** Flag of a tree whose transaction was not known to be flushed. */
const UNFLUSHED = 0x1000;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const DEPTH_MAX = 32;

/** Looks through a file. Throws only what the file system throws. */
export function checkFile(path: string): FileVerdict {
  const pages = openPages(path);
  if (pages === null) return { reason: "data.mdb does not begin like an LMDB file of version 2" };
  try {
    walk(pages, treeAt(pages.meta, META.freeTree), () => true);
    walk(pages, treeAt(pages.meta, META.mainTree), () => true);
    return null;
  } catch (error) {
    if (error instanceof Flaw) return { reason: error.reason };
    throw error;
  } finally {
    closeSync(pages.file);
  }
}

/** Reads one small value by its key without LMDB; null if it is not there or cannot be read. */
export function readValue(path: string, key: Uint8Array): Buffer | null {
  const pages = openPages(path);
  if (pages === null) return null;
  let found: Buffer | null = null;
  try {
    walk(pages, treeAt(pages.meta, META.mainTree), (nodeKey, value) => {
      if (!nodeKey.equals(key)) return true;
      found = Buffer.from(value);
      return false;
    });
    return found;
  } catch (error) {
    if (error instanceof Flaw) return found;
    throw error;
  } finally {
    closeSync(pages.file);
  }
}

/** What is wrong with the file; caught in this file. */
class Flaw {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

interface Pages {
  readonly file: number;
  readonly size: number;
  /** Pages in the file. */
  readonly count: number;
  readonly meta: Buffer;
}

function openPages(path: string): Pages | null {
  const file = openSync(path, "r");
  try {
    const length = fstatSync(file).size;
    const first = readMeta(file, 0);
    if (first !== null) {
      const size = first.readUInt32LE(META.freeTree + TREE.pageSize);
      if (size >= 512 && size <= 65_536 && (size & (size - 1)) === 0) {
        const meta = pickMeta(first, readMeta(file, size), readMeta(file, size / 2));
        return { file, size, count: Math.floor(length / size), meta };
      }
    }
  } catch (error) {
    closeSync(file);
    throw error;
  }
  closeSync(file);
  return null;
}

/** The meta page at an offset, without its page header; null if there is none. */
function readMeta(file: number, offset: number): Buffer | null {
  const bytes = Buffer.alloc(HEADER + META.end);
  if (readSync(file, bytes, 0, bytes.length, offset) < bytes.length) return null;
  const meta = bytes.subarray(HEADER);
  const isMeta = (bytes.readUInt16LE(18) & PAGE.meta) !== 0 && meta.readUInt32LE(META.magic) === MAGIC;
  return isMeta && (meta.readUInt32LE(META.version) & 0xffff) === DATA_VERSION ? meta : null;
}

/** The meta page LMDB will choose: the later one, after a reboot the later one that was flushed. */
function pickMeta(first: Buffer, second: Buffer | null, flushed: Buffer | null): Buffer {
  const txn = (meta: Buffer): bigint => meta.readBigUInt64LE(META.txn);
  const latest = second !== null && txn(second) > txn(first) ? second : first;
  const isUnflushed = (latest.readUInt16LE(META.freeTree + TREE.flags) & UNFLUSHED) !== 0;
  if (!isUnflushed || latest.readBigInt64LE(META.bootId) === bootNumber()) return latest;
  return flushed !== null && txn(flushed) > 0n ? flushed : latest;
}

/** The boot id as LMDB keeps it: its first group as a number. */
function bootNumber(): bigint {
  try {
    return BigInt(`0x${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8)}`);
  } catch {
    return 0n;
  }
}

interface Tree {
  readonly root: bigint;
  readonly depth: number;
}

function treeAt(meta: Buffer, at: number): Tree {
  return { root: meta.readBigUInt64LE(at + TREE.root), depth: meta.readUInt16LE(at + TREE.depth) };
}

/** Looks at a record whose value lies in its page; false ends the walk. */
type Visitor = (key: Buffer, value: Uint8Array) => boolean;

function walk(pages: Pages, tree: Tree, visit: Visitor): void {
  if (tree.root === NO_PAGE) return;
  if (tree.depth > DEPTH_MAX) throw new Flaw(`a tree claims a depth of ${tree.depth}`);
  walkPage(pages, tree.root, tree.depth, visit);
}

function walkPage(pages: Pages, number: bigint, depth: number, visit: Visitor): boolean {
  const page = readPage(pages, number, pages.size);
  const kind = page.readUInt16LE(18) & (PAGE.branch | PAGE.leaf | PAGE.overflow | PAGE.meta);
  if (kind !== (depth > 1 ? PAGE.branch : PAGE.leaf)) throw new Flaw(`page ${number} is of the wrong kind`);
  const lower = page.readUInt16LE(20);
  if (HEADER + lower > pages.size || lower % 2 !== 0) throw new Flaw(`page ${number} has a wrong size`);
  for (let at = HEADER; at < HEADER + lower; at += 2) {
    const node = HEADER + page.readUInt16LE(at);
    if (node < HEADER + lower || node + NODE_HEAD > pages.size) throw new Flaw(`page ${number} has a wrong node`);
    const goesOn =
      depth > 1 ? walkPage(pages, childOf(page, node), depth - 1, visit) : checkLeaf(pages, page, node, visit);
    if (!goesOn) return false;
  }
  return true;
}

function childOf(page: Buffer, node: number): bigint {
  return BigInt(page.readUInt32LE(node)) + (BigInt(page.readUInt16LE(node + 4)) << 32n);
}

function checkLeaf(pages: Pages, page: Buffer, node: number, visit: Visitor): boolean {
  const size = page.readUInt32LE(node);
  const isBig = (page.readUInt16LE(node + 4) & NODE_BIG) !== 0;
  const keyEnd = node + NODE_HEAD + page.readUInt16LE(node + 6);
  const inPage = isBig ? 8 : size;
  if (keyEnd + inPage > pages.size) throw new Flaw("a record reaches beyond its page");
  const key = page.subarray(node + NODE_HEAD, keyEnd);
  if (!isBig) {
    return visit(key, page.subarray(keyEnd, keyEnd + size));
  }
  const number = page.readBigUInt64LE(keyEnd);
  const head = readPage(pages, number, HEADER);
  const spanned = Math.ceil((HEADER + size) / pages.size);
  const isOverflow = (head.readUInt16LE(18) & PAGE.overflow) !== 0 && head.readUInt32LE(20) >= spanned;
  if (!isOverflow) throw new Flaw(`page ${number} does not begin a long record`);
  if (number + BigInt(spanned) > BigInt(pages.count)) throw new Flaw("a long record is cut off");
  return true;
}

function readPage(pages: Pages, number: bigint, length: number): Buffer {
  if (number >= BigInt(pages.count)) {
    throw new Flaw(`page ${number} lies beyond the end of the file, which has ${pages.count}`);
  }
  const page = Buffer.allocUnsafe(length);
  const read = readSync(pages.file, page, 0, length, Number(number) * pages.size);
  if (read < length || page.readBigUInt64LE(0) !== number) throw new Flaw(`page ${number} is not where it should be`);
  return page;
}

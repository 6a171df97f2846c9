/**
 * What a search index remembers of each Operation (elsewhere: column store, doc values): where it lives, its Step and
 * Queue, when it was enqueued, and hashes of its tags and its key, in columns of numbers outside the JavaScript heap. Facts that never change:
 * whatever does is read from the store when a search asks. A million rows are gone through in some ten milliseconds.
 *
 * Pure, and of one process: search-index.ts feeds it, search-plan.ts says what to look for.
 */
import { formatId, type PlacedDot } from "../engine/dot.js";

/** Rows of one chunk. */
const CHUNK_ROWS = 16_384;

/** What is known of an Operation that comes in. */
export interface SearchRow {
  readonly lane: number;
  readonly counter: number;
  readonly step: string | null;
  readonly queue: string | null;
  /** Milliseconds since 1970; null if it is not known. */
  readonly enqueuedAtMs: number | null;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly key: string | null;
  /** The enqueued bytes up to the payload, of what waits on the fast path: the store cannot find those by id. */
  readonly head: Uint8Array | null;
}

/** What rows must have to be candidates. Each part null: any. */
export interface SearchWish {
  /** Of the names met so far; "" is none. */
  readonly isStep: ((name: string) => boolean) | null;
  /** Lower-case texts, each of which the id, the Step or the Queue contains. */
  readonly words: readonly string[];
  /** One of each group; hashes, so more may fit than should. */
  readonly tags: readonly (readonly number[])[];
  readonly isMoment: ((ms: number) => boolean) | null;
}

/** What everything fits. */
export const ANY: SearchWish = { isStep: null, words: [], tags: [], isMoment: null };

/** A row that may fit. */
export interface Candidate extends PlacedDot {
  readonly row: number;
  readonly head: Uint8Array | null;
}

/** A page of candidates; `next` is the row to go on with, null at the end. */
export interface Candidates {
  readonly found: readonly Candidate[];
  readonly next: number | null;
}

interface Chunk {
  /** Number of its first row; rows keep their numbers when others go. */
  readonly first: number;
  /** The numbers of its rows if some have gone, else they follow each other. */
  readonly numbers: Float64Array | null;
  /** 0: gone. */
  readonly lanes: Uint32Array;
  readonly counters: Float64Array;
  /** Of a Step and a Queue together. */
  readonly names: Uint32Array;
  /** NaN: not known. */
  readonly moments: Float64Array;
  /** Where a row's tags and head end; they begin where those of the row before end. */
  readonly tagEnds: Uint32Array;
  readonly headEnds: Uint32Array;
  tags: Uint32Array;
  heads: Buffer;
  used: number;
  gone: number;
}

/** Columns of what there is. */
export class SearchTable {
  readonly #lanes: { readonly segment: string; readonly laneName: string }[] = [{ segment: "", laneName: "" }];
  readonly #laneNumbers = new Map<string, number>();
  readonly #names: Names[] = [{ step: "", queue: "" }];
  readonly #nameNumbers = new Map<string, number>();
  readonly #chunks: Chunk[] = [];
  #next = 0;
  #size = 0;

  /** Rows that are not gone. */
  get size(): number {
    return this.#size;
  }

  /** The number the next row gets. */
  get end(): number {
    return this.#next;
  }

  /** Bytes that its columns take. */
  get bytes(): number {
    let bytes = 0;
    for (const chunk of this.#chunks) bytes += chunk.lanes.length * 32 + chunk.tags.byteLength + chunk.heads.length;
    return bytes;
  }

  /** The number of a lane, the same each time. */
  laneOf(segment: string, laneName: string): number {
    const key = `${segment} ${laneName}`;
    const known = this.#laneNumbers.get(key);
    if (known !== undefined) return known;
    this.#laneNumbers.set(key, this.#lanes.length);
    return this.#lanes.push({ segment, laneName }) - 1;
  }

  /** Adds a row behind all others. */
  add({ lane, counter, step, queue, enqueuedAtMs, tags, key, head }: SearchRow): void {
    const chunk = this.#room();
    const at = chunk.used++;
    chunk.lanes[at] = lane;
    chunk.counters[at] = counter;
    chunk.names[at] = this.#nameOf(step ?? "", queue ?? "");
    chunk.moments[at] = enqueuedAtMs ?? Number.NaN;
    let tagEnd = at === 0 ? 0 : (chunk.tagEnds[at - 1] ?? 0);
    for (const [name, value] of tags === null ? [] : Object.entries(tags)) {
      if (tagEnd === chunk.tags.length) chunk.tags = grown(chunk.tags);
      chunk.tags[tagEnd++] = tagHash(name, value);
    }
    if (key !== null) {
      if (tagEnd === chunk.tags.length) chunk.tags = grown(chunk.tags);
      chunk.tags[tagEnd++] = keyHash(key);
    }
    chunk.tagEnds[at] = tagEnd;
    const headAt = at === 0 ? 0 : (chunk.headEnds[at - 1] ?? 0);
    const headEnd = headAt + (head?.length ?? 0);
    if (head !== null) {
      while (chunk.heads.length < headEnd) chunk.heads = Buffer.concat([chunk.heads], chunk.heads.length * 2);
      chunk.heads.set(head, headAt);
    }
    chunk.headEnds[at] = headEnd;
    this.#next++;
    this.#size++;
  }

  /** Looks for candidates from a row on: at no more than `looks` rows, about, and finds no more than `max`. */
  scan(wish: SearchWish, from: number, max: number, looks: number): Candidates {
    const found: Candidate[] = [];
    const next = this.#look(wish, from, looks, (chunk, at) => {
      if (found.length === max) return false;
      found.push(this.#candidate(chunk, at));
      return true;
    });
    return { found, next };
  }

  /** How many candidates there are, up to `max`; of words among the first `looks` rows, about, for they take longer. */
  count(wish: SearchWish, max: number, looks: number): number {
    let count = 0;
    this.#look(wish, 0, wish.words.length === 0 ? Number.POSITIVE_INFINITY : looks, () => count < max && ++count > 0);
    return count;
  }

  /** Goes through rows; answers the one to go on with: where a visit said no, or there were enough looks. */
  #look(wish: SearchWish, from: number, looks: number, visit: (chunk: Chunk, at: number) => boolean): number | null {
    const { isStep } = wish;
    const isWanted = isStep === null ? null : Uint8Array.from(this.#names, ({ step }) => (isStep(step) ? 1 : 0));
    if (isWanted?.includes(1) === false) return null;
    const words = wish.words.map((text) => wordIn(text, this.#names, this.#lanes));
    const isRow = (chunk: Chunk, at: number): boolean => fitsRow(chunk, at, isWanted, wish, words);
    let looked = 0;
    for (let place = this.#chunkAt(from); place < this.#chunks.length; place++) {
      const chunk = this.#chunks[place];
      if (chunk === undefined) break;
      if (looked >= looks) return numberOf(chunk, 0);
      looked += chunk.used;
      const start = startIn(chunk, from);
      const stop =
        wish.tags.length === 0
          ? lookAtAll(chunk, start, isRow, visit)
          : lookAtTags(chunk, start, isRow, wish.tags, visit);
      if (stop !== null) return numberOf(chunk, stop);
    }
    return null;
  }

  /** Some rows from one on, whatever they are of; for going through all of them. */
  page(from: number, max: number): Candidates {
    return this.scan(ANY, from, max, max + CHUNK_ROWS);
  }

  /** Forgets a row; one that is not there is forgotten already. */
  remove(row: number): void {
    const place = this.#chunkAt(row);
    const chunk = this.#chunks[place];
    if (chunk === undefined) return;
    const at = startIn(chunk, row);
    if (at >= chunk.used || numberOf(chunk, at) !== row || chunk.lanes[at] === 0) return;
    chunk.lanes[at] = 0;
    chunk.gone++;
    this.#size--;
    const isLast = place === this.#chunks.length - 1;
    if (chunk.gone === chunk.used && !isLast) this.#chunks.splice(place, 1);
    else if (chunk.gone * 2 > chunk.used && chunk.used > 64 && !isLast) this.#chunks[place] = compacted(chunk);
  }

  /** Takes note of the Queue a row is in: of all it has, that alone can change. */
  moved(row: number, queue: string): void {
    const chunk = this.#chunks[this.#chunkAt(row)];
    if (chunk === undefined) return;
    const at = startIn(chunk, row);
    const name = this.#names[chunk.names[at] ?? 0];
    if (at >= chunk.used || numberOf(chunk, at) !== row || name === undefined || name.queue === queue) return;
    chunk.names[at] = this.#nameOf(name.step, queue);
  }

  #candidate(chunk: Chunk, at: number): Candidate {
    const { segment, laneName } = this.#lanes[chunk.lanes[at] ?? 0] ?? { segment: "", laneName: "" };
    const headAt = at === 0 ? 0 : (chunk.headEnds[at - 1] ?? 0);
    const headEnd = chunk.headEnds[at] ?? headAt;
    return {
      segment,
      dot: { laneName, counter: chunk.counters[at] ?? 0 },
      row: numberOf(chunk, at),
      head: headEnd === headAt ? null : chunk.heads.subarray(headAt, headEnd),
    };
  }

  #nameOf(step: string, queue: string): number {
    if (step === "" && queue === "") return 0;
    const name = `${step} ${queue}`;
    const known = this.#nameNumbers.get(name);
    if (known !== undefined) return known;
    this.#nameNumbers.set(name, this.#names.length);
    return this.#names.push({ step, queue }) - 1;
  }

  #room(): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.numbers === null && last.used < last.lanes.length) return last;
    if (last !== undefined) trim(last);
    const chunk = emptyChunk(this.#next, CHUNK_ROWS, null);
    this.#chunks.push(chunk);
    return chunk;
  }

  /** The chunk in which a row is, or would be. */
  #chunkAt(row: number): number {
    let from = 0;
    let to = this.#chunks.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      const chunk = this.#chunks[middle];
      if (chunk !== undefined && numberOf(chunk, chunk.used - 1) < row) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** A hash of a tag, never the same for name and value the other way round; 32 bits (FNV-1a). */
export function tagHash(name: string, value: string): number {
  let hash = 0x811c9dc5;
  for (const text of [name, "\0", value]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** A hash of a key; no tag has it, since none is without a name. */
export function keyHash(key: string): number {
  return tagHash("", key);
}

interface Names {
  readonly step: string;
  readonly queue: string;
}

/** A text that is looked for in names and ids. */
interface Word {
  readonly text: string;
  /** By the numbers of names and lanes: all of those have it. */
  readonly inNames: Uint8Array;
  readonly inLanes: Uint8Array;
  /** Ids of the other lanes may have it where their counters stand; null: none can. */
  readonly idOf: ((lane: number, counter: number) => string) | null;
}

/** Lane by lane: most ids are never written down. */
function wordIn(text: string, names: readonly Names[], lanes: readonly { segment: string; laneName: string }[]): Word {
  const has = (name: string): number => (name.toLowerCase().includes(text) ? 1 : 0);
  const idOf = (lane: number, counter: number): string => {
    const { segment, laneName } = lanes[lane] ?? { segment: "", laneName: "" };
    return formatId(segment, laneName, counter).toLowerCase();
  };
  return {
    text,
    inNames: Uint8Array.from(names, ({ step, queue }) => has(step) | has(queue)),
    inLanes: Uint8Array.from(lanes, ({ segment, laneName }) => has(`${segment}.${laneName.slice(0, -2)}`)),
    // What reaches into a counter ends in its signs, and has a dot before them or is nothing but such signs.
    idOf: /(^|\.)[0-9a-z]{0,13}$/.test(text) ? idOf : null,
  };
}

function fitsRow(
  { lanes, counters, names, moments }: Chunk,
  at: number,
  isWanted: Uint8Array | null,
  { isMoment }: SearchWish,
  words: readonly Word[],
): boolean {
  const lane = lanes[at] ?? 0;
  if (lane === 0 || (isWanted !== null && isWanted[names[at] ?? 0] !== 1)) return false;
  if (isMoment !== null && !isInTime(moments[at] ?? Number.NaN, isMoment)) return false;
  if (words.length === 0) return true; // no closure for each row
  return words.every(({ text, inNames, inLanes, idOf }) => {
    if (inNames[names[at] ?? 0] === 1 || inLanes[lane] === 1) return true;
    return idOf?.(lane, counters[at] ?? 0).includes(text) === true;
  });
}

/** Goes through the rows of a chunk; answers where a visit said no. */
function lookAtAll(
  chunk: Chunk,
  start: number,
  isRow: (chunk: Chunk, at: number) => boolean,
  visit: (chunk: Chunk, at: number) => boolean,
): number | null {
  for (let at = start; at < chunk.used; at++) if (isRow(chunk, at) && !visit(chunk, at)) return at;
  return null;
}

/** The same for the rows that have a tag of the first group: those are found among the tags, whose search is native. */
function lookAtTags(
  chunk: Chunk,
  start: number,
  isRow: (chunk: Chunk, at: number) => boolean,
  groups: SearchWish["tags"],
  visit: (chunk: Chunk, at: number) => boolean,
): number | null {
  const [first = [], ...others] = groups;
  const { tags, tagEnds, used } = chunk;
  const from = start === 0 ? 0 : (tagEnds[start - 1] ?? 0);
  const to = used === 0 ? 0 : (tagEnds[used - 1] ?? 0);
  const nexts = first.map((hash) => tags.indexOf(hash, from));
  for (let at = start; ; at++) {
    let nearest = to;
    for (const next of nexts) if (next >= 0 && next < nearest) nearest = next;
    if (nearest === to) return null;
    at = rowOfTag(tagEnds, used, nearest, at);
    const end = tagEnds[at] ?? to;
    for (const [i, hash] of first.entries()) {
      if ((nexts[i] ?? -1) >= 0 && (nexts[i] ?? -1) < end) nexts[i] = tags.indexOf(hash, end);
    }
    if (!isRow(chunk, at)) continue;
    if (others.length > 0 && !hasTags(chunk, at, others)) continue;
    if (!visit(chunk, at)) return at;
  }
}

/** The row a place among the tags belongs to; not before `low`. */
function rowOfTag(tagEnds: Uint32Array, used: number, place: number, low: number): number {
  let from = low;
  let to = used - 1;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((tagEnds[middle] ?? 0) <= place) from = middle + 1;
    else to = middle;
  }
  return from;
}

function isInTime(ms: number, isMoment: (ms: number) => boolean): boolean {
  return Number.isNaN(ms) || isMoment(ms);
}

function hasTags({ tags, tagEnds }: Chunk, at: number, groups: SearchWish["tags"]): boolean {
  const from = at === 0 ? 0 : (tagEnds[at - 1] ?? 0);
  const own = tags.subarray(from, tagEnds[at] ?? from);
  return groups.every((group) => group.some((hash) => own.includes(hash)));
}

function numberOf(chunk: Chunk, at: number): number {
  return chunk.numbers === null ? chunk.first + at : (chunk.numbers[at] ?? 0);
}

/** The place in a chunk of the first row that is not before this one. */
function startIn(chunk: Chunk, row: number): number {
  if (chunk.numbers === null) return Math.max(0, row - chunk.first);
  let from = 0;
  let to = chunk.used;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((chunk.numbers[middle] ?? 0) < row) from = middle + 1;
    else to = middle;
  }
  return from;
}

function emptyChunk(first: number, rows: number, numbers: Float64Array | null): Chunk {
  return {
    first,
    numbers,
    lanes: new Uint32Array(rows),
    counters: new Float64Array(rows),
    names: new Uint32Array(rows),
    moments: new Float64Array(rows),
    tagEnds: new Uint32Array(rows),
    headEnds: new Uint32Array(rows),
    tags: new Uint32Array(256),
    heads: Buffer.alloc(4096),
    used: 0,
    gone: 0,
  };
}

/** Room for twice as many. */
function grown(tags: Uint32Array): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(tags.length * 2);
  more.set(tags);
  return more;
}

/** Gives back what a full chunk has not needed. */
function trim(chunk: Chunk): void {
  chunk.tags = chunk.tags.slice(0, chunk.tagEnds[chunk.used - 1] ?? 0);
  chunk.heads = Buffer.from(chunk.heads.subarray(0, chunk.headEnds[chunk.used - 1] ?? 0));
}

/** The same rows without those that are gone. */
function compacted(chunk: Chunk): Chunk {
  const left = chunk.used - chunk.gone;
  const made = emptyChunk(chunk.first, left, new Float64Array(left));
  const tags: number[] = [];
  const heads: Uint8Array[] = [];
  let headEnd = 0;
  for (let at = 0; at < chunk.used; at++) {
    if (chunk.lanes[at] === 0) continue;
    const to = made.used++;
    if (made.numbers !== null) made.numbers[to] = numberOf(chunk, at);
    made.lanes[to] = chunk.lanes[at] ?? 0;
    made.counters[to] = chunk.counters[at] ?? 0;
    made.names[to] = chunk.names[at] ?? 0;
    made.moments[to] = chunk.moments[at] ?? Number.NaN;
    const tagAt = at === 0 ? 0 : (chunk.tagEnds[at - 1] ?? 0);
    for (let i = tagAt; i < (chunk.tagEnds[at] ?? 0); i++) tags.push(chunk.tags[i] ?? 0);
    made.tagEnds[to] = tags.length;
    const headAt = at === 0 ? 0 : (chunk.headEnds[at - 1] ?? 0);
    const head = chunk.heads.subarray(headAt, chunk.headEnds[at] ?? headAt);
    heads.push(head);
    headEnd += head.length;
    made.headEnds[to] = headEnd;
  }
  made.tags = Uint32Array.from(tags);
  made.heads = Buffer.concat(heads);
  return made;
}

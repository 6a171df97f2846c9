/**
 * Parameters of each transition → the frame that calls it. The order of arguments is the header of each Lua file.
 *
 * Pure; answers.ts is the way back. Called by redis-store.ts with the prefix of the function and Segment.
 */
import { createHash } from "node:crypto";
import { invariant } from "../../base/assert.js";
import { type Held, isTiedLane, type LocalDot } from "../../engine/lease.js";
import {
  type FullMode,
  type FullTie,
  type GateTie,
  isSameGates,
  type KeyMode,
  TIE_NAME_BYTES_MAX,
  type Ties,
} from "../../engine/ties.js";
import type {
  AnnounceParams,
  CancelParams,
  CheckParams,
  ClaimParams,
  CompleteParams,
  EnqueueFullParams,
  EnqueueParams,
  ExplainParams,
  FailParams,
  LaneOpenParams,
  LimitSetParams,
  ListParams,
  NodeBeatParams,
  PeekParams,
  ProgressParams,
  RedriveParams,
  ReleaseParams,
  RescueParams,
  SurveyParams,
} from "../../engine/transitions.js";
import { FrameWriter } from "./frame.js";

const TEXT_MAX = 24;
const ADDRESS_BYTES = 8;
const TOKEN_BYTES = 8;
const RUN_BYTES = 12;
const DELAY_BYTES = 9;
const LETTER_D = 0x64;
const LETTER_F = 0x66;
const LETTER_R = 0x72;
const BODIES_MAX = 1000;
/** Set in how many of a run there are, if they are of tied lanes. */
const OF_TIED = 0x8000_0000;

/** Arguments that are all short texts: names and numbers. */
export function textsFrame(prefix: Buffer, values: readonly (string | number)[]): Buffer {
  const texts = values.map(String);
  const frame = new FrameWriter(
    prefix,
    texts.length,
    sum(texts, (text) => Buffer.byteLength(text)),
  );
  for (const text of texts) frame.text(text);
  return frame.finish();
}

export function laneOpenFrame(prefix: Buffer, params: LaneOpenParams): Buffer {
  return textsFrame(prefix, [params.laneName, params.queue ?? "", params.isTied === true ? "1" : ""]);
}

export function enqueueFrame(prefix: Buffer, params: EnqueueParams): Buffer {
  const { lane, laneName, first, bodies, gates, isQuiet } = params;
  invariant(bodies.length >= 1 && bodies.length <= BODIES_MAX, "enqueue takes 1…1000 bodies", { count: bodies.length });
  invariant((gates !== undefined) === isTiedLane(lane), "gates go with a tied lane", { lane: laneName });
  const ties = gates === undefined ? null : tiesOfBatch(gates, bodies.length);
  const content = sum(bodies, (body) => body.length + ADDRESS_BYTES) + (ties === null ? 0 : sum(ties, lengthOf));
  const frame = new FrameWriter(prefix, 4 + bodies.length, content + laneName.length + TEXT_MAX);
  frame
    .open(3)
    .uint24(lane)
    .close()
    .text(laneName)
    .number(first)
    .text(isQuiet === true ? "1" : "");
  for (let i = 0; i < bodies.length; i++) {
    const body = bodies[i] as Uint8Array; // i < length
    invariant(body.length > 0, "enqueued bytes are at least one", { counter: first + i });
    if (ties !== null) {
      const tie = ties[i] as Uint8Array; // one for each body
      frame
        .open(ADDRESS_BYTES + tie.length + body.length)
        .uint24(lane)
        .uint40(first + i)
        .part(tie)
        .part(body)
        .close();
      continue;
    }
    frame
      .open(ADDRESS_BYTES + body.length)
      .uint24(lane)
      .uint40(first + i)
      .part(body)
      .close();
  }
  return frame.finish();
}

/** _tied.lua: what stands between address and enqueued bytes; neighbours mostly have the same gates. */
function tiesOfBatch(gates: readonly (readonly GateTie[])[], count: number): Uint8Array[] {
  invariant(gates.length === count, "gates for each body", { gates: gates.length, bodies: count });
  const records: Uint8Array[] = [];
  let last: readonly GateTie[] | null = null;
  let record: Uint8Array = NOTHING;
  for (const one of gates) {
    if (last === null || !isSameGates(one, last)) {
      invariant(one.length > 0, "what goes by a tied lane has a gate");
      const tie = tieRecord({ key: null, line: null, gates: one });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(tie.length);
      record = Buffer.concat([length, tie]);
      last = one;
    }
    records.push(record);
  }
  return records;
}

function lengthOf(bytes: Uint8Array): number {
  return bytes.length;
}

export function enqueueFullFrame(prefix: Buffer, params: EnqueueFullParams): Buffer {
  const { lane, laneName, elements } = params;
  const content = sum(elements, ({ queue, body, ties }) => {
    return body.length + Buffer.byteLength(queue) + 16 + 2 * TEXT_MAX + (ties ? tiesLength(ties) : 0);
  });
  const frame = new FrameWriter(prefix, 2 + 9 * elements.length, content + laneName.length + TEXT_MAX);
  frame.open(3).uint24(lane).close().text(laneName);
  for (const { counter, queue, priority, due, body, ties } of elements) {
    frame.open(5).uint40(counter).close().text(queue).number(priority);
    frame.text(due === null ? "" : "in" in due ? `i${due.in}` : `a${due.at}`);
    frame.bytes(createHash("sha1").update(body).digest().subarray(0, 8)).bytes(body);
    if (ties) frame.bytes(tieRecord(ties)).bytes(keyTaking(ties)).bytes(lapseRecord(ties));
    else frame.text("").text("").text("");
  }
  return frame.finish();
}

const KEY_LETTERS: Readonly<Record<KeyMode, string>> = {
  match: "m",
  return: "r",
  reject: "x",
  replace: "p",
  postpone: "s",
  debounce: "b",
  known: "k",
};
const KEY_TAKING_BYTES = 25;

function tiesLength(ties: Ties): number {
  const all = [ties.key, ties.flow, ...ties.gates].map((tie) => tie?.name ?? "");
  const names = sum([ties.line ?? "", ...all], Buffer.byteLength);
  const replaced = ties.key?.replaced?.value.length ?? 0;
  const full = sum(ties.gates, (gate) => ("slots" in gate && gate.full ? 17 + gate.full.value.length : 0));
  return names + 2 + full + 17 * (ties.gates.length + 1) + KEY_TAKING_BYTES + replaced + lapseLength(ties);
}

/** _ties.lua: key, line, gates, flow. */
function tieRecord({ key, line, gates, flow }: Ties): Buffer {
  const parts = [named(key?.name ?? ""), named(line ?? "")];
  for (const gate of gates) {
    const head = Buffer.alloc("slots" in gate ? 4 : 16);
    if ("slots" in gate) head.writeUInt32BE(gate.slots);
    else {
      head.writeDoubleBE(gate.everyMs, 4);
      head.writeUInt32BE(gate.burst, 12);
    }
    parts.push(head, named(gate.name));
    if ("slots" in gate && gate.full) parts.push(fullRecord(gate.full));
  }
  if (flow) {
    const head = Buffer.alloc(16);
    head.writeDoubleBE(-1 / flow.weight, 4);
    parts.push(head, named(flow.name));
  }
  return Buffer.concat(parts);
}

const FULL_MODES: Readonly<Record<FullMode, number>> = { skip: 1, cancel_newest: 2, cancel_oldest: 3 };

/** _ties.lua: what a gate means when it is full, like a pace of no milliseconds behind it. */
function fullRecord({ mode, value }: FullTie): Buffer {
  invariant(value.length >= 1 && value.length <= 255, "what ends at a full gate says so in 1 to 255 bytes", {
    bytes: value.length,
  });
  const head = Buffer.alloc(17);
  head.writeUInt32BE(FULL_MODES[mode], 12);
  head[16] = value.length;
  return Buffer.concat([head, value]);
}

function named(name: string): Buffer {
  const bytes = Buffer.from(name);
  invariant(bytes.length <= TIE_NAME_BYTES_MAX, "the name of a tie has at most 255 bytes", { bytes: bytes.length });
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** enqueue_full.lua: how a key is taken. */
function keyTaking({ key }: Ties): Buffer {
  if (key === null) return Buffer.alloc(0);
  const head = Buffer.alloc(17);
  head.write(KEY_LETTERS[key.mode], "latin1");
  head.writeDoubleBE((key.windowMs ?? 0) * (key.isTimed ? -1 : 1), 1);
  head.set(key.digest, 9);
  if (key.replaced === null) return head;
  const retain = Buffer.alloc(8);
  retain.writeDoubleBE(key.replaced.retainMs);
  return Buffer.concat([head, retain, key.replaced.value]);
}

const LAPSE_HEAD_BYTES = 24;

function lapseLength({ lapse }: Ties): number {
  return lapse ? LAPSE_HEAD_BYTES + lapse.value.length : 0;
}

/** _lapse.lua, with times from now on. */
function lapseRecord({ lapse }: Ties): Buffer {
  if (!lapse) return Buffer.alloc(0);
  const head = Buffer.alloc(LAPSE_HEAD_BYTES);
  head.writeDoubleBE(lapse.startInMs ?? Number.POSITIVE_INFINITY);
  head.writeDoubleBE(lapse.endInMs ?? Number.POSITIVE_INFINITY, 8);
  head.writeDoubleBE(lapse.retainMs, 16);
  return Buffer.concat([head, lapse.value]);
}

export function claimFrame(prefix: Buffer, params: ClaimParams): Buffer {
  const { pace, max } = params;
  const most = pace === undefined ? max : `${max} ${pace.everyMs} ${pace.burst}`;
  return textsFrame(prefix, [params.owner, params.request, most, ...params.queues]);
}

export function completeFrame(prefix: Buffer, params: CompleteParams): Buffer {
  const { owner, retainMs, held, values } = params;
  invariant(held.length === values.length, "one outcome per Operation", { held: held.length, values: values.length });
  const runs = tokenRuns(held);
  const content = sum(values, (value) => value.length) + runs.length * RUN_BYTES + held.length * ADDRESS_BYTES;
  const frame = new FrameWriter(prefix, 3 + 2 * held.length, Buffer.byteLength(owner) + TEXT_MAX + content);
  frame
    .text(owner)
    .number(retainMs)
    .open(runs.length * RUN_BYTES);
  for (const { token, count, isTied } of runs) frame.uint64(token).uint32(count + (isTied ? OF_TIED : 0));
  frame.close();
  writeAddresses(frame, held);
  for (const value of values) frame.bytes(value);
  return frame.finish();
}

interface TokenRun {
  readonly token: number;
  readonly isTied: boolean;
  count: number;
}

/**
 * Claims of one call share a token, and mostly end together: it is sent once per run of neighbours. That these are of
 * tied lanes is told for all of a run, so that the store need not look at any of the others.
 */
function tokenRuns(held: readonly Held[]): TokenRun[] {
  const runs: TokenRun[] = [];
  let run: TokenRun = { token: -1, isTied: false, count: 0 };
  for (const { token, lane } of held) {
    if (token !== run.token || isTiedLane(lane) !== run.isTied) {
      run = { token, isTied: isTiedLane(lane), count: 0 };
      runs.push(run);
    }
    run.count++;
  }
  return runs;
}

export function failFrame(prefix: Buffer, params: FailParams): Buffer {
  const { owner, retainMs, elements } = params;
  const content = sum(elements, ({ value }) => value.length + TOKEN_BYTES + DELAY_BYTES);
  const frame = heldFrame(prefix, owner, retainMs, elements, content);
  for (const { token, retryInMs, value } of elements) {
    const length = TOKEN_BYTES + value.length;
    if (retryInMs === null)
      frame
        .open(length + 1)
        .uint64(token)
        .sign(LETTER_D);
    else
      frame
        .open(length + DELAY_BYTES)
        .uint64(token)
        .sign(LETTER_R)
        .double(retryInMs);
    frame.part(value).close();
  }
  return frame.finish();
}

export function releaseFrame(prefix: Buffer, params: ReleaseParams): Buffer {
  const { owner, retainMs, elements } = params;
  const frame = heldFrame(prefix, owner, retainMs, elements, elements.length * (TOKEN_BYTES + DELAY_BYTES));
  for (const { token, delayMs } of elements) {
    if (delayMs === null)
      frame
        .open(TOKEN_BYTES + 1)
        .uint64(token)
        .sign(LETTER_F)
        .close();
    else
      frame
        .open(TOKEN_BYTES + DELAY_BYTES)
        .uint64(token)
        .sign(LETTER_D)
        .double(delayMs)
        .close();
  }
  return frame.finish();
}

export function progressFrame(prefix: Buffer, params: ProgressParams): Buffer {
  const { owner, elements } = params;
  const frame = heldFrame(
    prefix,
    owner,
    0,
    elements,
    sum(elements, ({ value }) => value.length + TOKEN_BYTES),
  );
  for (const { token, value } of elements)
    frame
      .open(TOKEN_BYTES + value.length)
      .uint64(token)
      .part(value)
      .close();
  return frame.finish();
}

export function cancelFrame(prefix: Buffer, params: CancelParams): Buffer {
  const { dots, retainMs, value } = params;
  const frame = new FrameWriter(prefix, 2 + 2 * dots.length, TEXT_MAX + value.length + dotsLength(dots));
  writeDots(frame.number(retainMs).bytes(value), dots);
  return frame.finish();
}

export function rescueFrame(prefix: Buffer, params: RescueParams): Buffer {
  const { owner, beat, max, recoveriesMax, retainMs, poison } = params;
  const frame = new FrameWriter(prefix, 6, Buffer.byteLength(owner) + 4 * TEXT_MAX + poison.length);
  return frame.text(owner).number(beat).number(max).number(recoveriesMax).number(retainMs).bytes(poison).finish();
}

export function requeueFrame(prefix: Buffer, dots: readonly LocalDot[]): Buffer {
  const frame = new FrameWriter(prefix, 2 * dots.length, dotsLength(dots));
  writeDots(frame, dots);
  return frame.finish();
}

const KEEP = 0x3d;
const CHANGE = 0x21;

export function redriveFrame(prefix: Buffer, { elements }: RedriveParams): Buffer {
  const content = sum(elements, ({ queue, body }) => Buffer.byteLength(queue ?? "") + 1 + (body?.length ?? 0));
  const frame = new FrameWriter(prefix, 4 * elements.length, dotsLength(elements) + content);
  for (const { laneName, counter, queue, body } of elements) {
    frame
      .text(laneName)
      .open(5)
      .uint40(counter)
      .close()
      .text(queue ?? "");
    if (body === null) frame.open(1).sign(KEEP).close();
    else
      frame
        .open(1 + body.length)
        .sign(CHANGE)
        .part(body)
        .close();
  }
  return frame.finish();
}

export function announceFrame(prefix: Buffer, { owner, elements }: AnnounceParams): Buffer {
  const content = sum(elements, ({ again }) => Buffer.byteLength(again?.queue ?? "") + (again?.body.length ?? 0));
  const fixed = Buffer.byteLength(owner) + elements.length * (8 + 12 + TEXT_MAX);
  const frame = new FrameWriter(prefix, 1 + 7 * elements.length, fixed + dotsLength(elements) + content);
  frame.text(owner);
  for (const { laneName, counter, token, again } of elements) {
    writeDots(frame, [{ laneName, counter }]);
    frame
      .open(8)
      .uint64(token)
      .close()
      .text(again?.queue ?? "")
      .number(again?.priority ?? 0)
      .open(12)
      .uint32(again?.generation ?? 0)
      .uint32(again?.attempt ?? 1)
      .uint32(again?.recoveries ?? 0)
      .close()
      .bytes(again?.body ?? NOTHING);
  }
  return frame.finish();
}

const NOTHING = new Uint8Array(0);

/** `instance` is who waits, empty if nobody. */
export function findFrame(prefix: Buffer, dots: readonly LocalDot[], instance: string): Buffer {
  const frame = new FrameWriter(prefix, 1 + 2 * dots.length, instance.length + dotsLength(dots));
  writeDots(frame.text(instance), dots);
  return frame.finish();
}

export function peekFrame(prefix: Buffer, params: PeekParams): Buffer {
  const { of, offset, limit } = params;
  return textsFrame(prefix, of === "dead" ? ["d", offset, limit] : ["q", offset, limit, of.queue]);
}

const LISTED = {
  ready: "r",
  parked: "p",
  scheduled: "s",
  running: "u",
  failed: "f",
  completed: "c",
  cancelled: "x",
  skipped: "k",
} as const;

export function listFrame(prefix: Buffer, { of, cursor, max }: ListParams): Buffer {
  const head = [LISTED[of.state], cursor ?? "", max];
  return textsFrame(prefix, of.state === "ready" ? [...head, of.queue] : head);
}

export function surveyFrame(prefix: Buffer, { of, cursor, max }: SurveyParams): Buffer {
  return textsFrame(prefix, [of === "lanes" ? "l" : "o", cursor ?? "", max]);
}

export function explainFrame(prefix: Buffer, { dot, max }: ExplainParams): Buffer {
  const frame = new FrameWriter(prefix, 3, TEXT_MAX + dotsLength([dot]));
  writeDots(frame.number(max), [dot]);
  return frame.finish();
}

export function limitSetFrame(prefix: Buffer, { name, number, max }: LimitSetParams): Buffer {
  if (number === null) return textsFrame(prefix, [name, "", "", "", max]);
  if ("slots" in number) return textsFrame(prefix, [name, "s", number.slots, "", max]);
  return textsFrame(prefix, [name, "p", number.everyMs, number.burst, max]);
}

export function checkFrame(prefix: Buffer, { cursor, max, isMending, suspects }: CheckParams): Buffer {
  const place = suspects.length > 0 ? "suspects" : (cursor ?? "");
  const content = Buffer.byteLength(place) + TEXT_MAX + dotsLength(suspects);
  const frame = new FrameWriter(prefix, 3 + 2 * suspects.length, content);
  writeDots(
    frame
      .text(isMending ? "1" : "")
      .text(place)
      .number(max),
    suspects,
  );
  return frame.finish();
}

export function nodeBeatFrame(prefix: Buffer, params: NodeBeatParams): Buffer {
  const { incarnation, node, about, isJoining } = params;
  const names = Buffer.byteLength(incarnation) + Buffer.byteLength(node);
  const frame = new FrameWriter(prefix, 4, names + about.length + 1);
  return frame
    .text(incarnation)
    .text(node)
    .bytes(about)
    .text(isJoining ? "1" : "0")
    .finish();
}

/** Owner, retention, all addresses; what follows is one argument per element, of `content` bytes in all. */
function heldFrame(
  prefix: Buffer,
  owner: string,
  retainMs: number,
  held: readonly Held[],
  content: number,
): FrameWriter {
  const head = Buffer.byteLength(owner) + TEXT_MAX;
  const frame = new FrameWriter(prefix, 2 + 2 * held.length, head + held.length * ADDRESS_BYTES + content);
  frame.text(owner).number(retainMs);
  writeAddresses(frame, held);
  return frame;
}

function writeAddresses(frame: FrameWriter, held: readonly Held[]): void {
  for (const { lane, counter } of held) frame.open(ADDRESS_BYTES).uint24(lane).uint40(counter).close();
}

function writeDots(frame: FrameWriter, dots: readonly LocalDot[]): void {
  for (const { laneName, counter } of dots) frame.text(laneName).open(5).uint40(counter).close();
}

function dotsLength(dots: readonly LocalDot[]): number {
  return sum(dots, ({ laneName }) => Buffer.byteLength(laneName) + 5);
}

function sum<T>(list: readonly T[], length: (element: T) => number): number {
  let total = 0;
  for (const element of list) total += length(element);
  return total;
}

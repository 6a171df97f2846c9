/**
 * Replies of each function → the answers of the contract. The shapes are those in the header of each Lua file and in
 * _address, _operation, _finish and _view.lua.
 *
 * Pure; a reply of another shape is a broken invariant: the server runs our own text. Byte fields are views into the
 * reply. Called by redis-store.ts.
 */
import { invariant } from "../../base/assert.js";
import { formatCounter } from "../../base/id.js";
import type { CheckFinding, FindingKind } from "../../engine/findings.js";
import { type Address, isTiedLane, type LocalDot } from "../../engine/lease.js";
import type { Barrier, OperationRecord, OperationState } from "../../engine/operation.js";
import {
  type AnnounceAnswer,
  type AnnounceWord,
  type CancelAnswer,
  type CheckAnswer,
  type Claim,
  type ClaimAnswer,
  type CountsAnswer,
  type EnqueueAnswer,
  type EnqueueFullAnswer,
  type EnqueueFullWord,
  type EraseAnswer,
  type ExplainAnswer,
  type ExplainedGate,
  type ExtendAnswer,
  type FindAnswer,
  type GateInUse,
  type HoldersAnswer,
  type LaneOpenAnswer,
  type LimitSetAnswer,
  type LimitsAnswer,
  type ListAnswer,
  type ListParams,
  type LiveLimitState,
  type LiveNumber,
  type NodeBeatAnswer,
  type NodeEntry,
  type NodeLeaveAnswer,
  noTotals,
  type OutcomeAnswer,
  type PeekAnswer,
  type PromoteAnswer,
  type PruneAnswer,
  type QueueCounts,
  type QueuePauseAnswer,
  type RequeueAnswer,
  type RescueAnswer,
  type SegmentOpenAnswer,
  type SurveyAnswer,
  type SurveyParams,
  type Totals,
} from "../../engine/transitions.js";
import type { Reply } from "./connection.js";

const TWO_32 = 2 ** 32;
const ADDRESS_BYTES = 8;

// ── Small parts ────────────────────────────────────────────────────────────────────────────────────────────────────

function list(reply: Reply | undefined): readonly Reply[] {
  invariant(Array.isArray(reply), "the reply is an array");
  return reply;
}

function bytes(reply: Reply | undefined): Buffer {
  invariant(Buffer.isBuffer(reply), "the reply is a string");
  return reply;
}

function text(reply: Reply | undefined): string {
  return bytes(reply).toString();
}

function integer(reply: Reply | undefined): number {
  invariant(typeof reply === "number", "the reply is an integer");
  return reply;
}

/** The first word of an array: how the call went. */
function word<Word extends string>(reply: Reply | undefined): Word {
  return text(reply) as Word; // the words of a Lua file are those of its contract
}

function uint40(source: Buffer, at: number): number {
  return source.readUInt8(at) * TWO_32 + source.readUInt32BE(at + 1);
}

function uint64(source: Buffer, at: number): number {
  return source.readUInt32BE(at) * TWO_32 + source.readUInt32BE(at + 4);
}

function timeOrNull(reply: Reply | undefined): number | null {
  const found = text(reply);
  return found === "" ? null : Number(found);
}

function letters<Word>(reply: Reply, table: Readonly<Record<number, Word>>): Word[] {
  const source = bytes(reply);
  const words = new Array<Word>(source.length);
  for (let i = 0; i < source.length; i++) {
    const found = table[source[i] as number]; // i < length
    invariant(found !== undefined, "the letter is known", { letter: source[i] });
    words[i] = found;
  }
  return words;
}

const OUTCOMES: Readonly<Record<number, OutcomeAnswer>> = { 111: "ok", 100: "duplicate", 115: "stale" };
const CANCELS: Readonly<Record<number, CancelAnswer>> = {
  99: "cancelled",
  114: "requested",
  116: "terminal",
  109: "missing",
};
const ENQUEUES: Readonly<Record<number, EnqueueFullWord>> = {
  111: "ok",
  100: "duplicate",
  99: "conflict",
  107: "kept",
  120: "rejected",
  109: "mismatch",
};
const REQUEUES: Readonly<Record<number, "ok" | "illegal" | "missing">> = {
  111: "ok",
  105: "illegal",
  109: "missing",
};
const ANNOUNCES: Readonly<Record<number, AnnounceWord>> = {
  107: "keep",
  115: "stale",
  109: "missing",
  114: "recovered",
};
const STATES: Readonly<Record<string, OperationState>> = {
  s: "scheduled",
  r: "ready",
  u: "running",
  f: "failed",
  c: "completed",
  x: "cancelled",
  k: "skipped",
};

/** The state of a letter of _tell.lua or _view.lua. */
export function stateOf(letter: string): OperationState {
  const state = STATES[letter];
  invariant(state !== undefined, "the state's letter is known", { letter });
  return state;
}

interface Lane {
  readonly queue: string;
  readonly name: string;
}

/** _address.lua: marks, Queue, lane name. */
function readLane(record: Buffer): Lane {
  const nameAt = 11 + record.readUInt8(10);
  return { queue: record.toString("latin1", 11, nameAt), name: record.toString("latin1", nameAt) };
}

/** Lane records as claim and peek list them, from place `at` on; answers the table and the place after it. */
function readLanes(reply: readonly Reply[], at: number, count: number): [Map<number, Lane>, number] {
  const lanes = new Map<number, Lane>();
  for (let i = 0; i < count; i++) {
    lanes.set(bytes(reply[at + 2 * i]).readUIntBE(0, 3), readLane(bytes(reply[at + 2 * i + 1])));
  }
  return [lanes, at + 2 * count];
}

/** _tied.lua: the enqueued bytes of a list element, behind its address and, on a tied lane, its tie record. */
function bodyOf(element: Buffer, lane: number): Buffer {
  return element.subarray(isTiedLane(lane) ? ADDRESS_BYTES + 2 + element.readUInt16BE(ADDRESS_BYTES) : ADDRESS_BYTES);
}

function laneIn(lanes: ReadonlyMap<number, Lane>, lane: number): Lane {
  const found = lanes.get(lane);
  invariant(found !== undefined, "the lane is in the reply", { lane });
  return found;
}

/** The id of an Operation. */
export function idOf(segment: string, dot: LocalDot): string {
  const cut = dot.laneName.lastIndexOf(".");
  return `${segment}.${dot.laneName.slice(0, cut)}.${formatCounter(dot.counter, dot.laneName.slice(cut + 1))}`;
}

// ── Records ────────────────────────────────────────────────────────────────────────────────────────────────────────

const NOTHING: OperationRecord = {
  id: "",
  state: "ready",
  queue: null,
  priority: 0,
  generation: 0,
  attempt: 0,
  recoveries: 0,
  returns: 0,
  token: 0,
  owner: null,
  isCancelMarked: false,
  dueAtMs: null,
  finishedAtMs: null,
  body: null,
  value: null,
  progress: null,
  parked: null,
};

interface Static {
  readonly queue: string;
  readonly priority: number;
  readonly body: Buffer;
}

/** _operation.lua: priority, Queue, enqueued bytes. */
function readStatic(record: Buffer): Static {
  const bodyAt = 3 + record.readUInt8(2);
  return {
    priority: record.readInt16BE(0),
    queue: record.toString("latin1", 3, bodyAt),
    body: record.subarray(bodyAt),
  };
}

interface Meta {
  readonly generation: number;
  readonly attempt: number;
  readonly recoveries: number;
  readonly returns: number;
}

const NO_META: Meta = { generation: 0, attempt: 0, recoveries: 0, returns: 0 };

function readCounters(record: Buffer, at: number): Meta {
  return {
    generation: record.readUInt32BE(at),
    attempt: record.readUInt32BE(at + 4),
    recoveries: record.readUInt32BE(at + 8),
    returns: record.readUInt32BE(at + 12),
  };
}

/** A full-path Operation from its static and dynamic record; what only other keys know is passed in. */
function fullRecord(id: string, state: OperationState, staticRecord: Buffer, meta: Buffer): OperationRecord {
  const { queue, priority, body } = readStatic(staticRecord);
  if (meta.length === 0) return { ...NOTHING, id, state, queue, priority, body, attempt: state === "running" ? 1 : 0 };
  const counters = readCounters(meta, 0);
  return {
    ...NOTHING,
    ...counters,
    id,
    state,
    queue,
    priority,
    body,
    attempt: counters.attempt + (state === "running" ? 1 : 0),
    token: uint64(meta, 16),
    finishedAtMs: state === "failed" ? meta.readUIntBE(24, 6) : null,
    value: meta.readUInt8(30) === 0x31 ? meta.subarray(31) : null,
  };
}

const GATE_LETTER = 0x67;
const COMPLETED_FAST = 0x63;
const COMPLETED = 0x43;
const SKIPPED = 0x4b;

/** _finish.lua. */
function finishedRecord(id: string, record: Buffer): OperationRecord {
  const kind = record.readUInt8(0);
  const finishedAtMs = record.readUIntBE(1, 6);
  if (kind === COMPLETED_FAST) {
    const fields = { finishedAtMs, attempt: 1, token: uint64(record, 7), value: record.subarray(15) };
    return { ...NOTHING, id, state: "completed", ...fields };
  }
  const state = kind === COMPLETED ? "completed" : kind === SKIPPED ? "skipped" : "cancelled";
  const fields = { finishedAtMs, token: uint64(record, 23), value: record.subarray(31) };
  return { ...NOTHING, id, state, ...readCounters(record, 7), ...fields };
}

/** A parked record of _ties.lua: a letter, 8 bytes, and the name. */
function parkedOf(record: Buffer): Barrier | null {
  if (record.length === 0) return null;
  return { kind: record[0] === GATE_LETTER ? "gate" : "line", name: record.toString("utf8", 9) };
}

/** _view.lua. */
function viewed(id: string, view: readonly Reply[]): OperationRecord | "pruned" | "missing" {
  switch (text(view[0])) {
    case "m":
      return "missing";
    case "p":
      return "pruned";
    case "e":
      return finishedRecord(id, bytes(view[1]));
    case "w":
      return { ...NOTHING, id, queue: readLane(bytes(view[1])).queue };
    case "u":
      return {
        ...NOTHING,
        id,
        state: "running",
        queue: readLane(bytes(view[1])).queue,
        attempt: 1,
        owner: text(view[2]),
        token: uint64(bytes(view[3]), 0),
        isCancelMarked: view[4] === 1,
        body: bytes(view[5]),
        progress: view[6] === undefined ? null : bytes(view[6]),
      };
    default: {
      const state = stateOf(text(view[1]));
      const record = fullRecord(id, state, bytes(view[2]), bytes(view[3]));
      if (state === "scheduled") return { ...record, dueAtMs: timeOrNull(view[4]) };
      if (state === "ready") return { ...record, parked: parkedOf(bytes(view[4])) };
      if (state !== "running") return record;
      return {
        ...record,
        owner: text(view[5]),
        token: uint64(bytes(view[6]), 0),
        isCancelMarked: view[7] === 1,
        progress: view[8] === undefined ? null : bytes(view[8]),
      };
    }
  }
}

// ── Answers ────────────────────────────────────────────────────────────────────────────────────────────────────────

export function segmentOpenAnswer(reply: Reply): SegmentOpenAnswer {
  const [answer, schema] = list(reply);
  return { answer: word(answer), schema: integer(schema) };
}

export function laneOpenAnswer(reply: Reply): LaneOpenAnswer {
  const [answer, lane, accepted] = list(reply);
  return { answer: word(answer), lane: integer(lane), accepted: integer(accepted) };
}

export function enqueueAnswer(reply: Reply): EnqueueAnswer {
  const [answer, accepted, fresh] = list(reply);
  return { answer: word(answer), accepted: integer(accepted), fresh: integer(fresh) };
}

export function enqueueFullAnswer(reply: Reply): EnqueueFullAnswer {
  const [answer, answers, dots] = list(reply);
  const flat = list(dots);
  const holders: LocalDot[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    holders.push({ laneName: text(flat[i]), counter: uint40(bytes(flat[i + 1]), 0) });
  }
  return { answer: word(answer), answers: letters(bytes(answers), ENQUEUES), holders };
}

export function holdersAnswer(reply: Reply): HoldersAnswer {
  const holders = list(reply).map((one) => {
    const [laneName, counter] = list(one);
    return laneName === undefined ? null : { laneName: text(laneName), counter: uint40(bytes(counter), 0) };
  });
  return { holders };
}

export function claimAnswer(reply: Reply): ClaimAnswer {
  const all = list(reply);
  const token = uint64(bytes(all[1]), 0);
  const [lanes, first] = readLanes(all, 4, integer(all[3]));
  const claims: Claim[] = [];
  let laneBefore = -1;
  let lane: Lane = { queue: "", name: "" };
  for (let at = first; at < all.length; at++) {
    const element = all[at] as Buffer; // claim.lua lists strings here
    const number = (element.readUInt8(0) << 16) | element.readUInt16BE(1);
    if (number !== laneBefore) {
      lane = laneIn(lanes, number);
      laneBefore = number;
    }
    const counter = uint40(element, 3);
    if (element.length > ADDRESS_BYTES) {
      claims.push({
        lane: number,
        counter,
        token,
        laneName: lane.name,
        queue: lane.queue,
        priority: 0,
        attempt: 1,
        generation: 0,
        recoveries: 0,
        body: bodyOf(element, number),
      });
      continue;
    }
    const { queue, priority, body } = readStatic(bytes(all[at + 1]));
    const metaRecord = bytes(all[at + 2]);
    const meta = metaRecord.length === 0 ? NO_META : readCounters(metaRecord, 0);
    at += 2;
    claims.push({
      lane: number,
      counter,
      token,
      laneName: lane.name,
      queue,
      priority,
      attempt: meta.attempt + 1,
      generation: meta.generation,
      recoveries: meta.recoveries,
      body,
    });
  }
  const [waiting, highest] = waitingOf(all[2]);
  return { answer: word(all[0]), claims, waiting, highest };
}

/** How many wait and their largest priority; a bare number where that is the default, as nearly always. */
function waitingOf(reply: Reply | undefined): [number, number | null] {
  if (typeof reply === "number") return [reply, reply > 0 ? 0 : null];
  const [waiting, highest] = text(reply).split(" ");
  return [Number(waiting), Number(highest)];
}

export function extendAnswer(reply: Reply): ExtendAnswer {
  const [answer, beat, held, ...marked] = list(reply);
  const addresses = marked.map((address): Address => {
    const source = bytes(address);
    return { lane: source.readUIntBE(0, 3), counter: uint40(source, 3) };
  });
  addresses.sort((a, b) => a.lane - b.lane || a.counter - b.counter);
  return { answer: word(answer), beat: integer(beat), held: integer(held), marked: addresses };
}

export function outcomeAnswers(reply: Reply): { readonly answers: readonly OutcomeAnswer[] } {
  return { answers: letters(reply, OUTCOMES) };
}

export function cancelAnswers(reply: Reply): { readonly answers: readonly CancelAnswer[] } {
  return { answers: letters(reply, CANCELS) };
}

export function requeueAnswer(reply: Reply): RequeueAnswer {
  return { answers: letters(reply, REQUEUES) };
}

export function promoteAnswer(reply: Reply): PromoteAnswer {
  const [promoted, lapsed, due] = list(reply);
  return { promoted: integer(promoted), lapsed: integer(lapsed), nextDueInMs: timeOrNull(due) };
}

export function rescueAnswer(reply: Reply): RescueAnswer {
  const [answer, rescued, failed, cancelled, left] = list(reply);
  return {
    answer: word(answer),
    rescued: integer(rescued),
    failed: integer(failed),
    cancelled: integer(cancelled),
    left: integer(left),
  };
}

export function pruneAnswer(reply: Reply): PruneAnswer {
  const [finished, dead, windows, more] = list(reply);
  return { finished: integer(finished), dead: integer(dead), windows: integer(windows), more: integer(more) === 1 };
}

export function findAnswer(segment: string, dots: readonly LocalDot[], reply: Reply): FindAnswer {
  const views = list(reply);
  return { records: dots.map((dot, i) => viewed(idOf(segment, dot), list(views[i]))) };
}

export function peekAnswer(segment: string, of: "dead" | "ready", reply: Reply): PeekAnswer {
  const all = list(reply);
  const [lanes, first] = readLanes(all, 2, integer(all[1]));
  return {
    records: elementsOf(segment, of === "dead" ? "failed" : "ready", lanes, all, first),
    total: integer(all[0]),
  };
}

/** List elements, each bare one followed by its records, from place `first` on. */
function elementsOf(
  segment: string,
  state: OperationState,
  lanes: ReadonlyMap<number, Lane>,
  all: readonly Reply[],
  first: number,
): OperationRecord[] {
  const records: OperationRecord[] = [];
  for (let at = first; at < all.length; at++) {
    const element = bytes(all[at]);
    const lane = laneIn(lanes, element.readUIntBE(0, 3));
    const id = idOf(segment, { laneName: lane.name, counter: uint40(element, 3) });
    if (element.length > ADDRESS_BYTES) {
      const body = bodyOf(element, element.readUIntBE(0, 3));
      records.push({ ...NOTHING, id, queue: lane.queue, body });
    } else {
      records.push(fullRecord(id, state, bytes(all[at + 1]), bytes(all[at + 2])));
      at += 2;
    }
  }
  return records;
}

export function listAnswer(segment: string, state: ListParams["of"]["state"], reply: Reply): ListAnswer {
  const all = list(reply);
  const rest = text(all[0]);
  const cursor = rest === "" ? null : rest;
  const [lanes, first] = readLanes(all, 2, integer(all[1]));
  if (state === "ready") return { records: elementsOf(segment, "ready", lanes, all, first), cursor };
  const records: OperationRecord[] = [];
  for (let at = first; at < all.length; at += 2) {
    const address = bytes(all[at]);
    const laneName = laneIn(lanes, address.readUIntBE(0, 3)).name;
    const record = viewed(idOf(segment, { laneName, counter: uint40(address, 3) }), list(all[at + 1]));
    if (typeof record !== "string") records.push(record);
  }
  return { records, cursor };
}

/** `claimed` of a full-path lane says nothing; it is 0 everywhere. */
export function surveyAnswer(of: SurveyParams["of"], reply: Reply): SurveyAnswer {
  const all = list(reply);
  const rest = text(all[0]);
  const cursor = rest === "" ? null : rest;
  const count = integer(all[1]);
  if (of === "lanes") {
    const lanes = Array.from({ length: count }, (_, i) => {
      const record = bytes(all[3 + 2 * i]);
      const { queue, name } = readLane(record);
      const isFull = queue === "";
      const claimed = isFull ? 0 : uint40(record, 5);
      return { laneName: name, queue: isFull ? null : queue, accepted: uint40(record, 0), claimed };
    });
    return { lanes, dots: [], cursor };
  }
  const [lanes, first] = readLanes(all, 2, count);
  const dots: LocalDot[] = [];
  for (let at = first; at < all.length; at++) {
    const address = bytes(all[at]);
    const lane = lanes.get(address.readUIntBE(0, 3));
    if (lane !== undefined) dots.push({ laneName: lane.name, counter: uint40(address, 3) });
  }
  return { lanes: [], dots, cursor };
}

export function announceAnswer(reply: Reply): AnnounceAnswer {
  return { answers: letters(reply, ANNOUNCES) };
}

export function eraseAnswer(reply: Reply): EraseAnswer {
  return { answers: letters(reply, REQUEUES) };
}

export function countsAnswer(reply: Reply): CountsAnswer {
  const [scheduled, running, dead, due, queues, owners, sums, parked] = list(reply);
  const totals = noTotals();
  const flat = list(sums);
  for (let i = 0; i < flat.length; i += 2) totals[text(flat[i]) as keyof Totals] = Number(text(flat[i + 1]));
  return {
    queues: queueCounts(queues).sort((a, b) => compareNames(a.queue, b.queue)),
    owners: triples(owners, (owner, beat, held) => ({ owner, beat, held })).sort((a, b) =>
      compareNames(a.owner, b.owner),
    ),
    scheduled: integer(scheduled),
    running: integer(running),
    dead: integer(dead),
    parked: integer(parked),
    nextDueInMs: timeOrNull(due),
    totals,
  };
}

/** `asked` is the cursor of the call: its part says what the addresses at the end are. */
export function checkAnswer(segment: string, asked: string, reply: Reply): CheckAnswer {
  const all = list(reply);
  const rest = text(all[0]);
  const [lanes, first] = readLanes(all, 3, integer(all[2]));
  const idAt = (reply: Reply | undefined): string | null => {
    const address = bytes(reply);
    const lane = address.length === ADDRESS_BYTES ? lanes.get(address.readUIntBE(0, 3)) : undefined;
    return lane === undefined ? null : idOf(segment, { laneName: lane.name, counter: uint40(address, 3) });
  };
  const findings: CheckFinding[] = [];
  let at = first + 1;
  for (let left = integer(all[first]); left > 0; left--, at += 3) {
    // The words of check.lua are those of findings.ts.
    findings.push({ kind: text(all[at]) as FindingKind, id: idAt(all[at + 1]), about: text(all[at + 2]) });
  }
  const met = all.slice(at).flatMap((address) => idAt(address) ?? []);
  return {
    cursor: rest === "" ? null : rest,
    looked: integer(all[1]),
    findings,
    placeless: asked.startsWith("records:") || asked.startsWith("withdrawn:") ? met : [],
    listed: asked.startsWith("ready:") ? met : [],
  };
}

export function explainAnswer(segment: string, reply: Reply): ExplainAnswer {
  const all = list(reply);
  const [now, key, line, before, first, due, count] = all;
  const [lanes, gatesAt] = readLanes(all, 7, integer(count));
  const idOfAddress = (part: Reply | undefined): string => {
    const address = bytes(part);
    const { name: laneName } = laneIn(lanes, address.readUIntBE(0, 3));
    return idOf(segment, { laneName, counter: uint40(address, 3) });
  };
  const gates: ExplainedGate[] = [];
  for (let at = gatesAt; at < all.length; ) {
    const everyMs = timeOrNull(all[at + 4]);
    const holders = integer(all[at + 8]);
    gates.push({
      name: text(all[at]),
      slots: everyMs === null ? integer(all[at + 1]) : null,
      used: integer(all[at + 2]),
      opensAtMs: timeOrNull(all[at + 3]),
      everyMs,
      isFull: integer(all[at + 5]) === 1,
      isLive: integer(all[at + 6]) === 1,
      before: integer(all[at + 7]),
      holders: all
        .slice(at + 9, at + 9 + holders)
        .map(idOfAddress)
        .sort(compareNames),
    });
    at += 9 + holders;
  }
  const name = text(line);
  const firstId = bytes(first).length === 0 ? null : idOfAddress(first);
  return {
    nowMs: Number(text(now)),
    key: text(key) || null,
    line: name === "" ? null : { name, before: integer(before), firstId, dueAtMs: timeOrNull(due) },
    gates,
  };
}

export function limitSetAnswer(reply: Reply): LimitSetAnswer {
  const [answer, isSettled] = list(reply);
  return { answer: word(answer), isSettled: integer(isSettled) === 1 };
}

const LIVE_FIELDS = 3;
const GATE_FIELDS = 8;
const SLOTS_LETTER = 0x73;

export function limitsAnswer(reply: Reply): LimitsAnswer {
  const all = list(reply);
  const live: LiveLimitState[] = [];
  let at = 2;
  for (let left = integer(all[1]); left > 0; left--, at += LIVE_FIELDS) {
    const record = bytes(all[at + 1]);
    const number = liveNumber(record);
    const isSettling = integer(all[at + 2]) === 1;
    // One that cannot be read has no effect, and is found by check.
    if (number !== null) live.push({ name: text(all[at]), number, sinceMs: record.readUIntBE(1, 6), isSettling });
  }
  const isPartial = integer(all[at]) === 1;
  const gates: GateInUse[] = [];
  for (at++; at < all.length; at += GATE_FIELDS) {
    const kind = text(all[at + 1]) === "s" ? "slots" : "pace";
    const number = timeOrNull(all[at + 2]);
    gates.push({
      name: text(all[at]),
      kind,
      slots: kind === "slots" ? number : null,
      everyMs: kind === "pace" ? number : null,
      burst: timeOrNull(all[at + 3]),
      used: integer(all[at + 4]),
      opensAtMs: timeOrNull(all[at + 5]),
      parked: integer(all[at + 6]),
      isLive: integer(all[at + 7]) === 1,
    });
  }
  live.sort((a, b) => compareNames(a.name, b.name));
  return { nowMs: Number(text(all[0])), live, gates, isPartial };
}

/** _live.lua: a letter, 6 bytes of time, and the numbers. */
function liveNumber(record: Buffer): LiveNumber | null {
  if (record.length === 11 && record[0] === SLOTS_LETTER) return { slots: record.readUInt32BE(7) };
  if (record.length === 19) return { everyMs: record.readDoubleBE(7), burst: record.readUInt32BE(15) };
  return null;
}

export function queuePauseAnswer(reply: Reply): QueuePauseAnswer {
  return { answer: word(reply) };
}

export function nodeBeatAnswer(reply: Reply): NodeBeatAnswer {
  const [beat, ...rest] = list(reply);
  const elders: NodeEntry[] = [];
  for (let i = 0; i < rest.length; i += 4) {
    elders.push({
      incarnation: text(rest[i]),
      beat: integer(rest[i + 1]),
      node: text(rest[i + 2]),
      about: bytes(rest[i + 3]),
    });
  }
  return { beat: integer(beat), elders };
}

export function nodeLeaveAnswer(reply: Reply): NodeLeaveAnswer {
  return { answer: word(reply) };
}

/** The index of Nodes as HGETALL gives it. */
export function nodesAnswer(reply: Reply): NodeEntry[] {
  const flat = list(reply);
  const entries: NodeEntry[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const incarnation = text(flat[i]);
    const entry = bytes(flat[i + 1]);
    if (incarnation === "#") continue;
    const aboutAt = 13 + entry.readUInt8(12);
    entries.push({
      incarnation,
      node: entry.toString("utf8", 13, aboutAt),
      beat: entry.readUIntBE(0, 6),
      about: entry.subarray(aboutAt),
    });
  }
  return entries;
}

function queueCounts(reply: Reply | undefined): QueueCounts[] {
  const flat = list(reply);
  const rows: QueueCounts[] = [];
  for (let i = 0; i < flat.length; i += 4) {
    const highest = flat[i + 3];
    rows.push({
      queue: text(flat[i]),
      ready: integer(flat[i + 1]),
      isPaused: integer(flat[i + 2]) === 1,
      highest: typeof highest === "number" ? highest : null,
    });
  }
  return rows;
}

function triples<T>(reply: Reply | undefined, make: (name: string, first: number, second: number) => T): T[] {
  const flat = list(reply);
  const rows: T[] = [];
  for (let i = 0; i < flat.length; i += 3) rows.push(make(text(flat[i]), integer(flat[i + 1]), integer(flat[i + 2])));
  return rows;
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * A Segment as plain data: everything a store must keep, nothing about how, in one canonical order.
 *
 * Two stores that were told the same have equal snapshots (deep equality, or equality of their JSON): this is what
 * differential runs compare, and what a reopened store is checked by. Bytes are lower-case hex, times and tokens
 * numbers; an Operation is named by lane name and counter, so that lane numbers need not agree.
 * Imports the state of the machine; readers of other stores write the same type.
 */
import type { GateTie, PaceTie, SlotTie } from "../../engine/ties.js";
import type { LiveNumber, Totals } from "../../engine/transitions.js";
import { compareNames } from "./reading.js";
import {
  type Entry,
  entryOf,
  type FairTimes,
  FIRST_GENERATION,
  type Finished,
  isFinished,
  type Lane,
  laneNumbered,
  type Operation,
  type Owner,
  type Queue,
  type SegmentState,
  type Tied,
} from "./state.js";

/** A dot without its Segment. */
export interface DotSnapshot {
  readonly laneName: string;
  readonly counter: number;
}

/** A lane and its marks. Lanes come in order of their names. */
export interface LaneSnapshot {
  readonly laneName: string;
  readonly queue: string | null;
  readonly accepted: number;
  /** 0 on the full path. */
  readonly claimed: number;
}

/** An element of a ready list, as it stands there. */
export interface ReadySnapshot extends DotSnapshot {
  /** Cancelled while waiting: its next claim drops it. */
  readonly isWithdrawn: boolean;
}

/** A Queue that a lane or an Operation named, or that was paused, by name. */
export interface QueueSnapshot {
  readonly queue: string;
  readonly isPaused: boolean;
  /** Lists that hold something, larger priority first, each from front to end. */
  readonly lists: readonly { readonly priority: number; readonly elements: readonly ReadySnapshot[] }[];
}

/** An owner and what it holds in the order it claimed. Owners come by name. */
export interface OwnerSnapshot {
  readonly owner: string;
  readonly beat: number;
  readonly lastRequest: number;
  readonly held: readonly (DotSnapshot & { readonly token: number; readonly request: number })[];
}

/** An Operation that is not finished, by lane name, then counter. One that waits unread has counters at 0. */
export interface OperationSnapshot extends DotSnapshot {
  readonly state: "scheduled" | "ready" | "running" | "failed";
  readonly queue: string;
  readonly priority: number;
  readonly generation: number;
  /** As `find` answers it. */
  readonly attempt: number;
  readonly recoveries: number;
  readonly returns: number;
  /** The token whose outcome was taken last, 0 if none; the running one stands with its owner. */
  readonly token: number;
  readonly body: string;
  readonly value: string | null;
  readonly progress: string | null;
  /** The reason of the first cancel while it runs. */
  readonly cancelReason: string | null;
  /** Null for one without. */
  readonly ties: TiesSnapshot | null;
}

/** A gate, and what it means when it is full, with the bytes of who ends for it; nothing where one only waits. */
export type GateSnapshot = PaceTie | (Omit<SlotTie, "full"> & { readonly full?: string });

/** What an Operation is tied to, and where it waits for that. */
export interface TiesSnapshot {
  readonly key: string | null;
  readonly line: string | null;
  readonly gates: readonly GateSnapshot[];
  /**
   * The gate (`gate:…`) or line (`line:…`) where it is parked, the gate it is a candidate of (`candidate:…`), or null. One
   * with a flow may have both, a blank between.
   */
  readonly waitsAt: string | null;
}

/** A key and who holds it. Keys come by name. */
export interface KeySnapshot extends DotSnapshot {
  readonly key: string;
  readonly digest: string;
  readonly isLive: boolean;
  /** 0 without a window. */
  readonly untilMs: number;
}

/** A completed, cancelled or skipped Operation, by lane name, then counter. */
export interface FinishedSnapshot extends DotSnapshot {
  readonly state: "completed" | "cancelled" | "skipped";
  readonly generation: number;
  readonly attempt: number;
  readonly recoveries: number;
  readonly returns: number;
  readonly token: number;
  readonly finishedAtMs: number;
  readonly value: string | null;
}

/** Finished records that expire together: by expiry, narrower slices first. */
export interface SliceSnapshot {
  readonly expiresAtMs: number;
  readonly widthMs: number;
  readonly records: readonly FinishedSnapshot[];
}

/** One Segment, whole. */
export interface SegmentSnapshot {
  readonly lanes: readonly LaneSnapshot[];
  readonly queues: readonly QueueSnapshot[];
  readonly owners: readonly OwnerSnapshot[];
  readonly operations: readonly OperationSnapshot[];
  /** Scheduled ones in the order they will be promoted. */
  readonly due: readonly (DotSnapshot & { readonly dueAtMs: number })[];
  /** Dead letters in the order they will be pruned. */
  readonly dead: readonly (DotSnapshot & { readonly expiresAtMs: number; readonly finishedAtMs: number })[];
  readonly slices: readonly SliceSnapshot[];
  /** Memory of full-path dots: by window, then lane name, then counter; of the SHA-1 the first 8 bytes. */
  readonly windows: readonly {
    readonly window: number;
    readonly dots: readonly (DotSnapshot & { readonly sha1: string })[];
  }[];
  readonly keys: readonly KeySnapshot[];
  /** By name; members in their order. */
  readonly lines: readonly { readonly line: string; readonly members: readonly DotSnapshot[] }[];
  /** By name; what is parked in the order it will move on. */
  readonly gates: readonly {
    readonly gate: string;
    readonly used: number;
    readonly limit: number | null;
    readonly takenMs: number;
    readonly opensAtMs: number | null;
    readonly parked: readonly DotSnapshot[];
    /** Of a fair gate: its clock, and up to where flows are served beyond that, by name. */
    readonly fair: { readonly clock: number; readonly served: readonly (readonly [string, number])[] } | null;
  }[];
  /** By name; a live limit that was taken back is there while not all were told of it, with null. */
  readonly live: readonly {
    readonly name: string;
    readonly number: LiveNumber | null;
    readonly sinceMs: number | null;
    readonly isSettling: boolean;
  }[];
  /** What can lapse, in the order it will; times of null are never. */
  readonly lapses: readonly (DotSnapshot & {
    readonly startByMs: number | null;
    readonly endByMs: number | null;
    readonly retainMs: number;
    readonly value: string;
  })[];
  /** Somebody waits for these: by lane name, then counter. */
  readonly waited: readonly DotSnapshot[];
  readonly totals: Totals;
  readonly lastToken: number;
}

/** Takes a snapshot. Costs O(everything). */
export function snapshot(state: SegmentState): SegmentSnapshot {
  const lanes = [...state.lanesByName.values()].sort((a, b) => compareNames(a.name, b.name));
  const queues = [...state.queues.values()].sort((a, b) => compareNames(a.name, b.name));
  return {
    lanes: lanes.map(({ name, queue, accepted, claimed }) => ({
      laneName: name,
      queue: queue?.name ?? null,
      accepted,
      claimed,
    })),
    queues: queues.map(queueSnapshot),
    owners: [...state.owners.values()].sort((a, b) => compareNames(a.name, b.name)).map(ownerSnapshot),
    operations: [...unread(queues), ...lanes.flatMap(entriesOf).filter(isAlive).map(operationSnapshot)].sort(byDot),
    due: state.due.page(0, state.due.size).map((one) => ({ ...dotOf(one), dueAtMs: one.timeMs })),
    dead: state.dead
      .page(0, state.dead.size)
      .map((one) => ({ ...dotOf(one), expiresAtMs: one.timeMs, finishedAtMs: one.finishedAtMs })),
    slices: state.slices.map(({ expiresAtMs, bits, records }) => ({
      expiresAtMs,
      widthMs: 2 ** bits,
      // A dot that was enqueued anew has left its older record behind: nobody finds that any more.
      records: records
        .filter((one) => entryOf(one.lane, one.counter) === one)
        .map(finishedSnapshot)
        .sort(byDot),
    })),
    windows: state.windows.map((window) => ({
      window: window.number,
      dots: [...window.lanes]
        .flatMap(([lane, counters]) =>
          [...counters].map(([counter, sha1]) => ({
            laneName: laneNumbered(state, lane)?.name ?? "",
            counter,
            sha1: Buffer.from(sha1, "latin1").toString("hex"),
          })),
        )
        .sort(byDot),
    })),
    keys: [...state.keys.values()]
      .sort((a, b) => compareNames(a.name, b.name))
      .map(({ name, lane, counter, digest, isLive, timeMs }) => ({
        key: name,
        ...dotOf({ lane, counter }),
        digest: Buffer.from(digest, "latin1").toString("hex"),
        isLive,
        untilMs: timeMs,
      })),
    lines: [...state.lines.values()]
      .sort((a, b) => compareNames(a.name, b.name))
      .map(({ name, members }) => ({ line: name, members: [...members].map(dotOf) })),
    gates: [...state.gates.values()]
      .filter(
        ({ used, parked, takenMs, opensAtMs, fair }) =>
          used + parked.size + takenMs > 0 || opensAtMs !== null || fair !== null,
      )
      .sort((a, b) => compareNames(a.name, b.name))
      .map(({ name, parked, fair, ...gate }) => ({
        gate: name,
        ...gate,
        parked: parked.page(0, parked.size).map(dotOf),
        fair: fair && fairSnapshot(fair),
      })),
    live: [...new Set([...state.live.keys(), ...state.settling])].sort(compareNames).map((name) => {
      const { number = null, sinceMs = null } = state.live.get(name) ?? {};
      return { name, number, sinceMs, isSettling: state.settling.has(name) };
    }),
    lapses: state.lapses.page(0, state.lapses.size).map(({ startByMs, endByMs, retainMs, value, ...one }) => ({
      ...dotOf(one),
      startByMs: Number.isFinite(startByMs) ? startByMs : null,
      endByMs: Number.isFinite(endByMs) ? endByMs : null,
      retainMs,
      value: hex(value) ?? "",
    })),
    waited: lanes.flatMap((lane) =>
      [...lane.waited].sort((a, b) => a - b).map((counter) => ({ laneName: lane.name, counter })),
    ),
    totals: { ...state.totals },
    lastToken: state.lastToken,
  };
}

function fairSnapshot({ clock, served }: FairTimes) {
  const beyond = [...served].filter(([, time]) => time > clock);
  return { clock, served: beyond.sort(([a], [b]) => compareNames(a, b)) };
}

function queueSnapshot(queue: Queue): QueueSnapshot {
  const lists = queue.active.map(({ priority, elements }) => ({
    priority,
    elements: [...elements].flatMap((element): ReadySnapshot[] =>
      element.isRun
        ? Array.from({ length: element.bodies.length - element.popped }, (_, i) => {
            const counter = element.first + element.popped + i;
            return {
              laneName: element.lane.name,
              counter,
              isWithdrawn: element.lane.withdrawn.has(counter),
            };
          })
        : [{ ...dotOf(element), isWithdrawn: element.isWithdrawn }],
    ),
  }));
  return { queue: queue.name, isPaused: queue.isPaused, lists };
}

function ownerSnapshot(owner: Owner): OwnerSnapshot {
  const held: OwnerSnapshot["held"][number][] = [];
  for (let one = owner.first; one !== null; one = one.heldAfter) {
    held.push({ ...dotOf(one), token: one.heldToken, request: one.taking?.request ?? 0 });
  }
  return { owner: owner.name, beat: owner.beat, lastRequest: owner.lastRequest, held };
}

function unread(queues: readonly Queue[]): OperationSnapshot[] {
  const found: OperationSnapshot[] = [];
  for (const queue of queues) {
    for (const list of queue.active) {
      for (const element of list.elements) {
        if (!element.isRun) continue;
        for (let i = element.popped; i < element.bodies.length; i++) {
          const counter = element.first + i;
          if (element.lane.withdrawn.has(counter)) continue;
          found.push({
            laneName: element.lane.name,
            counter,
            state: "ready",
            queue: queue.name,
            priority: 0,
            generation: FIRST_GENERATION,
            attempt: 0,
            recoveries: 0,
            returns: 0,
            token: 0,
            body: hex(element.bodies[i] ?? null) ?? "",
            value: null,
            progress: null,
            cancelReason: null,
            ties: element.gates && {
              key: null,
              line: null,
              gates: (element.gates[i] ?? []).map(gateSnapshot),
              waitsAt: null,
            },
          });
        }
      }
    }
  }
  return found;
}

function entriesOf(lane: Lane): Entry[] {
  return [...lane.pages.values()].flatMap(({ entries }) => entries.filter((entry) => entry !== undefined));
}

function isAlive(entry: Entry): entry is Operation {
  return !isFinished(entry);
}

function operationSnapshot(operation: Operation): OperationSnapshot {
  return {
    ...dotOf(operation),
    state: operation.state,
    queue: operation.queue.name,
    priority: operation.priority,
    generation: operation.generation,
    attempt: operation.state === "running" ? operation.attempt + 1 : operation.attempt,
    recoveries: operation.recoveries,
    returns: operation.returns,
    token: operation.token,
    body: hex(operation.body) ?? "",
    value: hex(operation.value),
    progress: hex(operation.progress),
    cancelReason: hex(operation.cancelReason),
    ties: tiesSnapshot(operation.tied),
  };
}

function tiesSnapshot(tied: Tied | null): TiesSnapshot | null {
  if (tied === null) return null;
  const { key, line, gates, parkedAt, candidateOf } = tied;
  const places: string[] = [];
  if (parkedAt !== null) places.push(`${"parked" in parkedAt ? "gate" : "line"}:${parkedAt.name}`);
  if (candidateOf !== null) places.push(`candidate:${candidateOf.name}`);
  return { key, line, gates: gates.map(gateSnapshot), waitsAt: places.join(" ") || null };
}

function gateSnapshot(gate: GateTie): GateSnapshot {
  if (!("slots" in gate)) return gate;
  const { name, slots, full } = gate;
  return full ? { name, slots, full: `${full.mode} ${hex(full.value)}` } : { name, slots };
}

function finishedSnapshot(finished: Finished): FinishedSnapshot {
  const { state, generation, attempt, recoveries, returns, token, finishedAtMs, value } = finished;
  return {
    ...dotOf(finished),
    state,
    generation,
    attempt,
    recoveries,
    returns,
    token,
    finishedAtMs,
    value: hex(value),
  };
}

function dotOf(one: { readonly lane: Lane; readonly counter: number }): DotSnapshot {
  return { laneName: one.lane.name, counter: one.counter };
}

function byDot(a: DotSnapshot, b: DotSnapshot): number {
  return compareNames(a.laneName, b.laneName) || a.counter - b.counter;
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * Walking over what is in some states, over all Segments, page by page: the way of every list, search and bulk action.
 *
 * Each page is one bounded store call. A place in the walk is plain data and survives a trip through a user's hands.
 * Never imported by the hot path.
 */
import { decode, encode } from "../base/codec.js";
import { createError } from "../base/errors.js";
import type { OperationRecord } from "../engine/operation.js";
import type { Store } from "../engine/store.js";
import { LISTED_STATES, type Listed, type ListedState } from "../engine/transitions.js";
import { type Filter, queuesOf, statesOf } from "./filter.js";
import { compareNames } from "./names.js";

/** What a walk asks of a store. */
export type WalkedStore = Pick<Store, "segments" | "counts" | "list">;

/** Calls the store, again if need be. */
export type CallWalked = <Answer>(call: (store: WalkedStore) => Promise<Answer>) => Promise<Answer>;

/** A state that can be walked. `parked` is a part of `ready`, and its last one if it is not named itself. */
export type WalkedState = ListedState;

/** What to walk over: states in this order; of what is on lists these Queues, or all (what is parked is of any). */
export interface WalkOf {
  readonly states: readonly WalkedState[];
  readonly queues: readonly string[] | null;
}

/** What is ready: on lists, and off them. */
const WAITING: readonly WalkedState[] = ["ready", "parked"];

/** Where a walk goes on: in a state, a Segment, a Queue of it ("" if the state has none), at the store's cursor. */
export interface WalkPlace {
  readonly state: WalkedState;
  readonly segment: string;
  readonly queue: string;
  readonly cursor: string | null;
  /** How many records of that page were used already. */
  readonly skip: number;
}

/** One page; `here` is where it began, `next` where to go on after it, null at the end. */
export interface WalkPage {
  readonly records: readonly OperationRecord[];
  readonly here: WalkPlace;
  readonly next: WalkPlace | null;
}

/** What a filter lets one walk over. */
export function walkOf(filter: Filter): WalkOf {
  const states = statesOf(filter);
  return { states, queues: queuesOf(filter) };
}

/** Walks from a place on, or from the beginning; `max` is looked at per page, 1…1000. Errors: the store's. */
export async function* walk(
  call: CallWalked,
  of: WalkOf,
  from: WalkPlace | null,
  max: () => number,
): AsyncGenerator<WalkPage, void, undefined> {
  const isParkedNamed = of.states.includes("parked");
  const states = isParkedNamed ? of.states : of.states.flatMap((one) => (one === "ready" ? WAITING : [one]));
  const whole = { ...of, states };
  let place = await firstPlace(call, whole, from);
  while (place !== null) {
    const here: WalkPlace = place;
    const { state, segment, queue, cursor, skip } = here;
    const listed: Listed = state === "ready" ? { state, queue } : { state };
    const page = await call((store) => store.list(segment, { of: listed, cursor, max: max() }));
    const next = page.cursor !== null ? { ...here, cursor: page.cursor, skip: 0 } : await placeAfter(call, whole, here);
    yield { records: skip === 0 ? page.records : page.records.slice(skip), here, next };
    place = next;
  }
}

/** The place itself if it is still there; else what comes after it, or the very first. */
async function firstPlace(call: CallWalked, of: WalkOf, from: WalkPlace | null): Promise<WalkPlace | null> {
  if (from !== null) return of.states.includes(from.state) ? from : null;
  const [state] = of.states;
  return state === undefined ? null : await placeFrom(call, of, state, null);
}

/** The first place of a state behind a Segment and Queue, or of the states after it. */
async function placeFrom(
  call: CallWalked,
  of: WalkOf,
  state: WalkedState,
  after: { readonly segment: string; readonly queue: string } | null,
): Promise<WalkPlace | null> {
  const segments = [...(await call((store) => store.segments()))].sort(compareNames);
  let last = after;
  for (const walked of of.states.slice(of.states.indexOf(state))) {
    for (const segment of segments) {
      const order = last === null ? 1 : compareNames(segment, last.segment);
      if (order < 0 || (order === 0 && walked !== "ready")) continue;
      if (walked !== "ready") return { state: walked, segment, queue: "", cursor: null, skip: 0 };
      const { queues } = await call((store) => store.counts(segment));
      const behind = order === 0 ? (last?.queue ?? "") : "";
      const queue = queues
        .map((one) => one.queue)
        .filter((name) => of.queues?.includes(name) !== false && (behind === "" || compareNames(name, behind) > 0))
        .sort(compareNames)[0];
      if (queue !== undefined) return { state: walked, segment, queue, cursor: null, skip: 0 };
    }
    last = null;
  }
  return null;
}

async function placeAfter(call: CallWalked, of: WalkOf, here: WalkPlace): Promise<WalkPlace | null> {
  return await placeFrom(call, of, here.state, here);
}

/** Writes a place as opaque text. */
export function writePlace({ state, segment, queue, cursor, skip }: WalkPlace): string {
  return Buffer.from(encode([state, segment, queue, cursor, skip], "cursor")).toString("base64url");
}

/** Reads what `writePlace` wrote. Errors: MR_INVALID_OPTION. */
export function readPlace(text: string): WalkPlace {
  try {
    const [state, segment, queue, cursor, skip] = decode(Buffer.from(text, "base64url")) as unknown[]; // checked below
    const isPlace =
      typeof segment === "string" &&
      typeof queue === "string" &&
      (cursor === null || typeof cursor === "string") &&
      Number.isSafeInteger(skip) &&
      LISTED_STATES.some((listed) => listed === state);
    if (isPlace) return { state, segment, queue, cursor, skip } as WalkPlace; // just checked
  } catch {
    // Bytes that are no codec bytes, or no array: refused like any other text that is no cursor.
  }
  throw createError("MR_INVALID_OPTION", { path: "cursor", problem: "expected a cursor as a page before answered it" });
}

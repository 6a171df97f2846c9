/**
 * Parts of the mix that a person has fixed (elsewhere: manual override). A pin goes before every score and every
 * emergency; only the cap and the pilot light go before a pin.
 */
import { createError, show } from "../../base/errors.js";
import {
  type Bounds,
  fitToCap,
  type Kind,
  type Mix,
  mixText,
  type PerPool,
  PILOT_SLOTS,
  placesOf,
  SLOTS_MAX,
} from "./mix.js";
import { findNearest } from "./search.js";

/** What is fixed; null is free. */
export interface Pins {
  readonly blocking: number | null;
  readonly async: number | null;
  readonly slots: number | null;
}

/** Nothing is fixed. */
export const NO_PINS: Pins = { blocking: null, async: null, slots: null };

/** Environment variable of each pin. */
export const PIN_VARIABLES = {
  blocking: "MILLRACE_FORCE_BLOCKING",
  async: "MILLRACE_FORCE_ASYNC",
  slots: "MILLRACE_FORCE_SLOTS",
} as const satisfies Record<keyof Pins, string>;

const PIN_MAX = 1_000_000;

/**
 * Reads pins from texts, absent ones as free.
 *
 * Errors: MR_INVALID_OPTION for what is not a whole number from 0 (slots: from 1).
 */
export function parsePins(texts: { readonly [Pin in keyof Pins]: string | undefined }): Pins {
  return {
    blocking: parsePin("blocking", texts.blocking, 0),
    async: parsePin("async", texts.async, 0),
    slots: parsePin("slots", texts.slots, 1),
  };
}

/** Whether anything is fixed. */
export function isPinned(pins: Pins): boolean {
  return pins.blocking !== null || pins.async !== null || pins.slots !== null;
}

/** What the bounds are made of. */
export interface BoundsInput {
  /** The mix that was configured: N is its Workers. */
  readonly start: Mix;
  readonly isRegistered: PerPool<boolean>;
  readonly pins: Pins;
  readonly concurrentMax: number;
  /** Least Workers of each registered kind. */
  readonly workersMin: PerPool<number>;
}

/** Bounds, and in words what had to give way for them. */
export interface PinnedBounds {
  readonly bounds: Bounds;
  readonly warnings: readonly string[];
}

/**
 * Makes bounds of what was configured, pinned and registered; at least one mix keeps them.
 *
 * Kinds without Steps get no Workers; with both kinds there are at least two. Pins set N if both kinds are pinned,
 * else take their Workers from the other kind. What does not fit under the cap is clipped, slots first, then async
 * Workers, then blocking ones, and a pin that was clipped is said.
 */
export function boundsOf(input: BoundsInput): PinnedBounds {
  const { pins, isRegistered, concurrentMax } = input;
  const start = startMix(input);
  const workersMin = fitFloors(input, start.blocking + start.async);
  const wanted = pinnedMix(start, pins, isRegistered, workersMin);
  let mix = fitToCap(wanted, concurrentMax, { ...workersMin, slots: 1 });
  let bounds = boundsAround(mix, workersMin, input);
  while (findNearest(bounds, mix) === null) {
    // The floors do not fit beside so much: less of it, in the order in which the cap takes it.
    if (pins.slots !== null && mix.slots > 1) mix = { ...mix, slots: mix.slots - 1 };
    else if (mix.async > workersMin.async) mix = { ...mix, async: mix.async - 1 };
    else if (mix.blocking > workersMin.blocking) mix = { ...mix, blocking: mix.blocking - 1 };
    else break;
    bounds = boundsAround(mix, workersMin, input);
  }
  const used = { blocking: mix.blocking, async: mix.async, slots: bounds.slotsPinned ?? mix.slots };
  const clipped = PINS.filter((pin) => pins[pin] !== null && pins[pin] !== used[pin]).map(
    (pin) => `${PIN_VARIABLES[pin]}=${pins[pin]} does not fit, ${used[pin]} is used`,
  );
  const isCut = placesOf(start) > concurrentMax && clipped.length === 0 && !isPinned(pins);
  const cut = isCut ? [`${mixText(start)} is more than ${concurrentMax} at once, ${mixText(mix)} is used`] : [];
  return { bounds, warnings: [...clipped, ...cut] };
}

const PINS = ["blocking", "async", "slots"] as const;

function boundsAround(mix: Mix, workersMin: PerPool<number>, input: BoundsInput): Bounds {
  const { pins, isRegistered, concurrentMax } = input;
  const asyncPlacesMin = isRegistered.async ? PILOT_SLOTS : 0;
  const isFree = pins.blocking === null && pins.async === null && isRegistered.blocking && isRegistered.async;
  const asyncMax = isFree ? mix.blocking + mix.async - workersMin.blocking : mix.async;
  const slotsMin = asyncMax > 0 ? Math.ceil(asyncPlacesMin / asyncMax) : 1;
  return {
    workers: mix.blocking + mix.async,
    concurrentMax,
    workersMin,
    slotsMax: Math.max(SLOTS_MAX, mix.slots),
    asyncPlacesMin,
    slotsPinned: pins.slots === null ? null : Math.max(slotsMin, mix.slots),
    // With Steps of one kind only there is nothing to divide.
    blockingPinned: isFree ? null : mix.blocking,
  };
}

/** The floors, lowered until they fit into N Workers and, with the pilot light's slots, under the cap. */
function fitFloors({ isRegistered, workersMin, concurrentMax }: BoundsInput, workers: number): PerPool<number> {
  const floors = {
    blocking: isRegistered.blocking ? workersMin.blocking : 0,
    async: isRegistered.async ? workersMin.async : 0,
  };
  const isTooMuch = () =>
    floors.blocking + floors.async > workers ||
    floors.blocking + floors.async * Math.ceil(PILOT_SLOTS / Math.max(1, floors.async)) > concurrentMax;
  while (isTooMuch()) {
    if (floors.async > 1 && floors.async >= floors.blocking) floors.async--;
    else if (floors.blocking > 1) floors.blocking--;
    else break;
  }
  return floors;
}

/** The mix that was configured, with no Workers for kinds that have no Steps and one at least for those that have. */
export function startMix(input: Pick<BoundsInput, "start" | "isRegistered">): Mix {
  const { start, isRegistered } = input;
  const of = (kind: Kind) => (isRegistered[kind] ? Math.max(1, start[kind]) : 0);
  return { blocking: of("blocking"), async: of("async"), slots: Math.max(1, start.slots) };
}

/** The configured mix with its pins; what is left of N goes to the kind that is not pinned. */
function pinnedMix(start: Mix, pins: Pins, isRegistered: PerPool<boolean>, floors: PerPool<number>): Mix {
  const workers = start.blocking + start.async;
  const slots = pins.slots ?? start.slots;
  const rest = (kind: Kind, taken: number) => (isRegistered[kind] ? Math.max(floors[kind], workers - taken) : 0);
  const pinned = {
    blocking: pins.blocking === null ? null : Math.max(pins.blocking, floors.blocking),
    async: pins.async === null ? null : Math.max(pins.async, floors.async),
  };
  if (pinned.blocking === null && pinned.async === null) return { ...start, slots };
  return {
    blocking: pinned.blocking ?? rest("blocking", pinned.async ?? 0),
    async: pinned.async ?? rest("async", pinned.blocking ?? 0),
    slots,
  };
}

function parsePin(pin: keyof Pins, text: string | undefined, min: number): number | null {
  if (text === undefined) return null;
  const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min) return Math.min(value, PIN_MAX);
  throw createError("MR_INVALID_OPTION", {
    path: `${PIN_VARIABLES[pin]} (environment)`,
    problem: `expected an integer of at least ${min}, got ${show(text)}`,
  });
}

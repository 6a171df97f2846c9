/**
 * The id of an Operation or Unit, a *dot*: `segment.incarnation.counter`. One process life (incarnation) of one
 * writer mints it alone, so it is unique without a round trip, and it names the Segment where its truth lives.
 *
 *     web-1.eu . m3k9… . 16 01      cut at the last two dots: the Segment's text may contain dots
 *     └ segment  └ life  └n └ lane  n and life in lower-case base36, the lane in two base36 digits
 *
 * Must not import engine words: what a lane means is the engine's business.
 */
import { invariant } from "./assert.js";
import { createError, show } from "./errors.js";
import type { Random } from "./random.js";

/** The parts of an id. */
export interface Dot {
  readonly segment: string;
  readonly incarnation: string;
  /** Two base36 digits. */
  readonly lane: string;
  /** Counter within (incarnation, lane), 0 … 2^53 − 1. */
  readonly n: number;
}

/** How many lanes two digits can name. */
export const LANES_MAX = 36 * 36;

const LANE_TEXTS: readonly string[] = Array.from({ length: LANES_MAX }, (_, i) => i.toString(36).padStart(2, "0"));

/**
 * Returns the two digits of lane `index`, 0 … 1295: `0` → `"00"`, `1295` → `"zz"`.
 *
 * Errors: MR_INVARIANT for another index; who hands out lanes stops in time.
 */
export function laneDigits(index: number): string {
  const text = LANE_TEXTS[index];
  invariant(text !== undefined, "a lane is one of LANES_MAX", { index });
  return text;
}

/** Returns the counter's text, `n` in base36 and the lane's two digits: `(42, "01")` → `"1601"`. Checks nothing. */
export function formatCounter(n: number, lane: string): string {
  return n.toString(36) + lane;
}

/** Returns the id's text. Checks nothing: for parts from outside, parse the text that comes out. */
export function formatDot(dot: Dot): string {
  return `${dot.segment}.${dot.incarnation}.${dot.n.toString(36)}${dot.lane}`;
}

/**
 * Cuts an id into its parts.
 *
 * Only the one spelling that `formatDot` writes is read, so equal dots have equal text.
 *
 * Errors: MR_NOT_FOUND, since a text that is no id names nothing.
 */
export function parseDot(text: string): Dot {
  const dot = tryParseDot(text);
  if (dot === null) throw createError("MR_NOT_FOUND", { kind: "id", id: show(text) });
  return dot;
}

/** Cuts an id into its parts, or returns null if the text is none. */
export function tryParseDot(text: unknown): Dot | null {
  if (typeof text !== "string") return null;
  const last = text.lastIndexOf(".");
  const first = text.lastIndexOf(".", last - 1);
  const laneAt = text.length - 2;
  if (first < 1 || last <= first + 1 || laneAt <= last + 1) return null;
  if (base36Value(text, first + 1, last) < 0 || base36Value(text, laneAt, text.length) < 0) return null;
  if (text.charCodeAt(last + 1) === ZERO && laneAt > last + 2) return null; // 042 would be a second spelling of 42
  const n = base36Value(text, last + 1, laneAt);
  if (n < 0 || n > Number.MAX_SAFE_INTEGER) return null;
  const segment = text.slice(0, first);
  if (!isSegmentText(segment)) return null;
  return { segment, incarnation: text.slice(first + 1, last), lane: text.slice(laneAt), n };
}

/** Tells whether a text may name a Segment: not empty, no `{` `}` `:`, white space or control character. */
export function isSegmentText(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit === 0x7b || unit === 0x7d || unit === 0x3a) return false;
    if (unit >= 0x7f && BEYOND_ASCII.test(text)) return false;
  }
  return true;
}

/** Orders ids by segment, incarnation, lane, then counter; negative, zero or positive as for `sort`. */
export function compareDots(a: Dot, b: Dot): number {
  return (
    compareTexts(a.segment, b.segment) ||
    compareTexts(a.incarnation, b.incarnation) ||
    compareTexts(a.lane, b.lane) ||
    a.n - b.n
  );
}

/** Draws the name of a new process life: 128 random bits, 25 characters of base36. */
export function newIncarnation(random: Random): string {
  return random.text(128);
}

const ZERO = 0x30;
/** White space, control characters and lone surrogates, which no key or URL carries faithfully. */
const BEYOND_ASCII = /[\s\p{Cc}\p{Cs}]/u;

/** Reads lower-case base36 digits; −1 if another character stands among them. Inexact beyond 2^53. */
function base36Value(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= ZERO && unit <= 0x39) value = value * 36 + (unit - ZERO);
    else if (unit >= 0x61 && unit <= 0x7a) value = value * 36 + (unit - 0x61 + 10);
    else return -1;
  }
  return value;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

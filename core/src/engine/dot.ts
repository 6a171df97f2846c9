/**
 * Between ids as users see them (`segment.incarnation.counter`) and dots as Segments store them (lane name, counter).
 */
import { formatCounter, tryParseDot } from "../base/id.js";
import type { LocalDot } from "./lease.js";

/** A dot with the Segment it lives in. */
export interface PlacedDot {
  readonly segment: string;
  readonly dot: LocalDot;
}

/** Formats the id of an Operation: `("web1", "m3k9.01", 42)` → `web1.m3k9.1601`. Checks nothing. */
export function formatId(segment: string, laneName: string, counter: number): string {
  const cut = laneName.length - 2;
  return `${segment}.${laneName.slice(0, cut - 1)}.${formatCounter(counter, laneName.slice(cut))}`;
}

/** Takes an id apart, or returns null if the text is none. */
export function tryPlaceId(id: unknown): PlacedDot | null {
  const parsed = tryParseDot(id);
  if (parsed === null) return null;
  const { segment, incarnation, lane, n } = parsed;
  return { segment, dot: { laneName: `${incarnation}.${lane}`, counter: n } };
}

/**
 * The facts of an Operation that a search index keeps, from the bytes a store has of it. Pure.
 */
import { decode } from "../base/codec.js";
import { decodeEnvelope } from "../engine/envelope.js";
import { decodeOutcome } from "../engine/outcome.js";
import type { SearchRow } from "./search-table.js";

/** What the bytes say; null for what they do not say any more. Bytes that nobody can read say nothing. */
export type SearchFacts = Pick<SearchRow, "step" | "enqueuedAtMs" | "tags" | "head">;

const NOTHING: SearchFacts = { step: null, enqueuedAtMs: null, tags: null, head: null };

/** Reads enqueued bytes or, where there are none any more, outcome bytes. */
export function factsOf(body: Uint8Array | null, value: Uint8Array | null): SearchFacts {
  try {
    if (body !== null) {
      const { step, enqueuedAtMs, overrides, payloadAt } = decodeEnvelope(body);
      return { step, enqueuedAtMs, tags: tagsIn(overrides), head: body.subarray(0, payloadAt) };
    }
    if (value === null) return NOTHING;
    const { step, enqueuedAtMs } = decodeOutcome(value);
    return { ...NOTHING, step: step || null, enqueuedAtMs };
  } catch {
    return NOTHING; // an index must not fail because of one record
  }
}

/** The tags among the options of an enqueue. Errors: MR_DECODE. */
export function tagsIn(overrides: Uint8Array | null): Readonly<Record<string, string>> | null {
  if (overrides === null) return null;
  const { tags } = decode(overrides) as { readonly tags?: Readonly<Record<string, string>> }; // written by app.ts
  return tags ?? null;
}

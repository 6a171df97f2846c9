/**
 * The facts of an Operation that a search index keeps, from the bytes a store has of it. Pure.
 */
import { decode } from "../base/codec.js";
import { decodeEnvelope } from "../engine/envelope.js";
import { decodeOutcome } from "../engine/outcome.js";
import type { SearchRow } from "./search-table.js";

/** What the bytes say; null for what they do not say any more. Bytes that nobody can read say nothing. */
export type SearchFacts = Pick<SearchRow, "step" | "enqueuedAtMs" | "tags" | "key" | "head">;

const NOTHING: SearchFacts = { step: null, enqueuedAtMs: null, tags: null, key: null, head: null };

/** Reads enqueued bytes or, where there are none any more, outcome bytes. */
export function factsOf(body: Uint8Array | null, value: Uint8Array | null): SearchFacts {
  try {
    if (body !== null) {
      const { step, enqueuedAtMs, overrides, payloadAt } = decodeEnvelope(body);
      return { step, enqueuedAtMs, ...labelsIn(overrides), head: body.subarray(0, payloadAt) };
    }
    if (value === null) return NOTHING;
    const { step, enqueuedAtMs } = decodeOutcome(value);
    return { ...NOTHING, step: step || null, enqueuedAtMs };
  } catch {
    return NOTHING; // an index must not fail because of one record
  }
}

/** What an Operation can be found by that its enqueue gave it. */
export interface Labels {
  readonly tags: Readonly<Record<string, string>> | null;
  readonly key: string | null;
}

/** The tags and the key among the options of an enqueue. Errors: MR_DECODE. */
export function labelsIn(overrides: Uint8Array | null): Labels {
  if (overrides === null) return { tags: null, key: null };
  const { tags = null, key = null } = decode(overrides) as Partial<Labels>; // written by app.ts
  return { tags, key };
}

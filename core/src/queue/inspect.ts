/**
 * Admin reads: pages of Queues and dead letters over all Segments. Never imported by the hot path.
 */
import type { OperationRecord } from "../engine/operation.js";
import type { Store } from "../engine/store.js";
import type { PeekParams } from "../engine/transitions.js";

/** Calls the store, again if need be. */
export type CallStore = <Answer>(call: (store: InspectedStore) => Promise<Answer>) => Promise<Answer>;

/** What is read of a store. */
export type InspectedStore = Pick<Store, "segments" | "peek">;

const PAGE = 500;

/** Lists the App's Segments. */
export async function listSegments(call: CallStore): Promise<readonly string[]> {
  return await call((store) => store.segments());
}

/**
 * Walks a list page by page over all Segments. What joins or leaves meanwhile may be missed or, having moved towards
 * the end, be seen twice; an Operation that stays where it is is seen once.
 */
export async function* listRecords(call: CallStore, of: PeekParams["of"]): AsyncIterable<OperationRecord> {
  for (const segment of await listSegments(call)) {
    for (let offset = 0; ; offset += PAGE) {
      const page = await call((store) => store.peek(segment, { of, offset, limit: PAGE }));
      yield* page.records;
      if (offset + PAGE >= page.total) break;
    }
  }
}

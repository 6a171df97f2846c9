/** A call made on a Store: the table from transitions to methods. */
import type { Store } from "@millrace/core/internal";
import type { Answer, Call } from "./call.js";

/** Makes one call. */
export function callStore(store: Store, segment: string, call: Call): Promise<Answer> {
  switch (call.name) {
    case "lane_open":
      return store.laneOpen(segment, call.params);
    case "enqueue":
      return store.enqueue(segment, call.params);
    case "enqueue_full":
      return store.enqueueFull(segment, call.params);
    case "claim":
      return store.claim(segment, call.params);
    case "extend":
      return store.extend(segment, call.params);
    case "complete":
      return store.complete(segment, call.params);
    case "fail":
      return store.fail(segment, call.params);
    case "release":
      return store.release(segment, call.params);
    case "cancel":
      return store.cancel(segment, call.params);
    case "promote":
      return store.promote(segment, call.params);
    case "rescue":
      return store.rescue(segment, call.params);
    case "requeue":
      return store.requeue(segment, call.params);
    case "redrive":
      return store.redrive(segment, call.params);
    case "prune":
      return store.prune(segment, call.params);
    case "progress":
      return store.progress(segment, call.params);
    case "find":
      return store.find(segment, call.params);
    case "peek":
      return store.peek(segment, call.params);
    case "list":
      return store.list(segment, call.params);
    case "survey":
      return store.survey(segment, call.params);
    case "holders":
      return store.holders(segment, call.params);
    case "explain":
      return store.explain(segment, call.params);
    case "announce":
      return store.announce(segment, call.params);
    case "erase":
      return store.erase(segment, call.params);
    case "counts":
      return store.counts(segment);
    case "queue_pause":
      return store.queuePause(segment, call.params);
    case "queue_resume":
      return store.queueResume(segment, call.params);
    case "limit_set":
      return store.limitSet(segment, call.params);
    case "limits":
      return store.limits(segment, call.params);
  }
}

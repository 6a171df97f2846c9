/**
 * The choice of a producer: over one server the plain one, over several the one that knows where to go when a server
 * is away; before it the one that sends what has ties to where they meet, and before all the bound, if there is one.
 */
import type { Logger } from "../base/log.js";
import type { Placement } from "../engine/placement.js";
import type { Store } from "../engine/store.js";
import { AdmittingSink } from "../queue/admitting-sink.js";
import type { AttemptScope } from "../queue/attempt-scope.js";
import type { Attendant } from "../queue/attendant.js";
import { BoundedSink, type OnFull } from "../queue/bounded-sink.js";
import { HomingProducer } from "../queue/homing-producer.js";
import { KeyedProducer } from "../queue/keyed-producer.js";
import { Producer } from "../queue/producer.js";
import type { ResendContext } from "../queue/resend.js";
import type { SubmissionSink } from "../queue/submission.js";

/** Who writes, and how long a submission waits for its acknowledgement. */
export interface OpenProducerOptions extends ResendContext {
  readonly node: string;
  /** The Segment to write on one server: the Node's own, or one that many write. */
  readonly segment: string;
  readonly incarnation: string;
  readonly timeoutMs: number;
  readonly log: Logger;
  readonly attendant: Attendant;
  /** Told of each Segment that this process has opened to write, now and later. */
  readonly opened: (segment: string) => void;
  /** How many ready Operations a Queue may hold in one Segment; null for any number. */
  readonly bound: { readonly max: number; readonly onFull: OnFull; readonly scope: AttemptScope } | null;
  /** Bytes of memory each server of the store may use; null for as many as it likes. */
  readonly memoryMax: number | null;
}

/** Opens the Node's Segment and makes a producer for it. Errors: those of `openSegment`. */
export async function openProducer(options: OpenProducerOptions): Promise<SubmissionSink> {
  let sink = await openUnbounded(options);
  const { bound, segment, memoryMax, store } = options;
  if (bound !== null) sink = new BoundedSink({ ...options, ...bound, inner: sink, segment });
  if (memoryMax === null) return sink;
  return new AdmittingSink({ ...options, inner: sink, gauge: store, store: store.url, maxBytes: memoryMax });
}

async function openUnbounded(options: OpenProducerOptions): Promise<SubmissionSink> {
  const { store, segment } = options;
  if (isPlacement(store)) {
    const homing = await HomingProducer.open({ ...options, placement: store });
    return new KeyedProducer({ ...options, plain: homing, home: null, placement: store });
  }
  await store.openSegment(segment);
  options.opened(segment);
  const plain = new Producer(options);
  return new KeyedProducer({ ...options, plain, home: segment, placement: null });
}

function isPlacement(store: Store): store is Store & Placement {
  return "openElsewhere" in store;
}

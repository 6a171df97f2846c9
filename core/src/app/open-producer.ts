/**
 * The choice of a producer: over one server the plain one, over several the one that knows where to go when a server
 * is away.
 */
import type { Logger } from "../base/log.js";
import type { Placement } from "../engine/placement.js";
import type { Store } from "../engine/store.js";
import { HomingProducer } from "../queue/homing-producer.js";
import { Producer } from "../queue/producer.js";
import type { ResendContext } from "../queue/resend.js";
import type { SubmissionSink } from "../queue/submission.js";

/** Who writes, and how long a submission waits for its acknowledgement. */
export interface OpenProducerOptions extends ResendContext {
  readonly node: string;
  readonly incarnation: string;
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** What was opened: the producer and the Segment it writes at first. */
export interface OpenedProducer {
  readonly producer: SubmissionSink;
  readonly segment: string;
}

/** Opens the Node's Segment and makes a producer for it. Errors: those of `openSegment`. */
export async function openProducer(options: OpenProducerOptions): Promise<OpenedProducer> {
  const { store, node } = options;
  if (isPlacement(store)) {
    const producer = await HomingProducer.open({ ...options, placement: store });
    return { producer, segment: producer.segment };
  }
  await store.openSegment(node);
  return { producer: new Producer({ ...options, segment: node }), segment: node };
}

function isPlacement(store: Store): store is Store & Placement {
  return "openElsewhere" in store;
}

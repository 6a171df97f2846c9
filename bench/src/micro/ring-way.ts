/** What one measurement of the bench `ring` is told and answers, for the process, its thread and the bench. */

/** How frames cross: through a ring, published in batches or each; by postMessage, one each or many in one. */
export const ways = ["ring", "ring-each", "message", "message-batch"] as const;

/** One of them. */
export type Way = (typeof ways)[number];

/** Frames published at once, and frames in one message of `message-batch`. */
export const RING_BATCH = 64;
export const MESSAGE_BATCH = 256;
/** Frames under way by postMessage before the sender waits for an answer: unbounded, it would only fill memory. */
export const MESSAGE_WINDOW = 4096;
/** Frames that one answer tells of. */
export const ANSWER_EVERY = 1024;
/** Bytes of the ring: what a Worker's rings have. */
export const CAPACITY = 2 ** 20;

/** One measurement: `frames` of `bytes` each, after `warmUp` that do not count. */
export interface RingSpec {
  readonly way: Way;
  readonly bytes: number;
  readonly warmUp: number;
  readonly frames: number;
}

/** What the reading side saw; times and processor time are of the measured frames, from the first to the last. */
export interface ReaderReport {
  readonly seconds: number;
  /** Of both threads. */
  readonly cpuSeconds: number;
  /** Frames that were not the one expected: lost, doubled, torn or out of order. */
  readonly wrong: number;
  /** How often it found nothing and went to sleep, or how many messages came. */
  readonly waits: number;
  readonly rescued: number;
}

/** What one measurement answers; counts are over warm-up and measured frames. */
export interface RingFigures extends ReaderReport {
  /** How often the writer found no room and went to sleep. */
  readonly fulls: number;
  readonly writerRescued: number;
}

/** What the reading thread is started with. */
export interface ReaderStart {
  readonly spec: RingSpec;
  /** The ring; null where messages come by the port. */
  readonly buffer: SharedArrayBuffer | null;
}

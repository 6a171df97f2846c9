/**
 * The writing side for Operations with ties (elsewhere: partitioned queue): they go to one of the App's *keyed Segments*,
 * chosen by what they are tied to, so that keys, lines and limits hold over all Nodes; everything else goes where it
 * always goes. Keyed Segments belong to no Node. All ties of a Step must meet, so the Step chooses, not each key.
 */
import { createError, isMillraceError } from "../base/errors.js";
import type { Placement } from "../engine/placement.js";
import { Producer, type ProducerOptions } from "./producer.js";
import { resend } from "./resend.js";
import type { FullSubmission, Submission, SubmissionSink } from "./submission.js";

/** What a KeyedProducer needs beside what a Producer does. */
export interface KeyedOptions extends Omit<ProducerOptions, "segment"> {
  /** Who takes what has no ties. */
  readonly plain: SubmissionSink;
  /** The Segment that `plain` writes; null: any but these. */
  readonly home: string | null;
  /** Where Segments are, if the App has several servers. */
  readonly placement: Placement | null;
  /** Told of each Segment that this process has opened to write. */
  readonly opened: (segment: string) => void;
}

/** How many keyed Segments an App has. For ever: with another number, keys held before would not be met again. */
const KEYED_SEGMENTS = 16;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The keyed Segment for all that meets under a text. */
export function keyedSegment(meet: string): string {
  let hash = FNV_OFFSET;
  for (let i = 0; i < meet.length; i++) hash = Math.imul(hash ^ meet.charCodeAt(i), FNV_PRIME);
  return `keyed-${(hash >>> 0) % KEYED_SEGMENTS}`;
}

/** Whether a Segment is one of these: it belongs to no Node. */
export function isKeyedSegment(name: string): boolean {
  return /^keyed-([0-9]|1[0-5])$/.test(name);
}

/** Hands submissions to the Producer of the Segment their ties meet in. */
export class KeyedProducer implements SubmissionSink {
  readonly #options: KeyedOptions;
  /** By Segment; one is opened when it is first needed. */
  readonly #producers = new Map<string, Producer>();
  readonly #opening = new Map<string, FullSubmission[]>();
  #waiting = 0;
  #endError: Error | null = null;

  constructor(options: KeyedOptions) {
    this.#options = options;
  }

  push(queue: string, submission: Submission): void {
    this.#options.plain.push(queue, submission);
  }

  pushFull(submission: FullSubmission): void {
    const { ties } = submission;
    if (ties === null || ties.meet === null) return this.#options.plain.pushFull(submission);
    const segment = keyedSegment(ties.meet);
    // One writer for each Segment: two would count their Operations in one lane.
    if (segment === this.#options.home) return this.#options.plain.pushFull(submission);
    const producer = this.#producers.get(segment);
    if (producer !== undefined) return producer.pushFull(submission);
    this.#waiting++;
    const waiting = this.#opening.get(segment);
    if (waiting !== undefined) {
      waiting.push(submission);
      return;
    }
    this.#opening.set(segment, [submission]);
    void this.#open(segment);
  }

  get backlog(): number {
    let backlog = this.#waiting + this.#options.plain.backlog;
    for (const producer of this.#producers.values()) backlog += producer.backlog;
    return backlog;
  }

  end(error: Error): void {
    this.#endError = error;
    this.#options.plain.end(error);
    for (const producer of this.#producers.values()) producer.end(error);
  }

  async #open(segment: string): Promise<void> {
    const { opened, timeoutMs } = this.#options;
    let refusal: Error | null = null;
    try {
      await resend(this.#options, timeoutMs, () => this.#openAtHome(segment));
    } catch (error) {
      // Whatever is not known of the Segment: of these submissions none was sent.
      refusal = isMillraceError(error, "MR_INDETERMINATE") ? this.#away(error.message, error) : (error as Error); // stores reject with errors only
    }
    const submissions = this.#opening.get(segment) ?? [];
    this.#opening.delete(segment);
    this.#waiting -= submissions.length;
    refusal ??= this.#endError;
    if (refusal !== null) {
      for (const submission of submissions) submission.refused(refusal);
      return;
    }
    const producer = new Producer({ ...this.#options, segment });
    this.#producers.set(segment, producer);
    opened(segment);
    for (const submission of submissions) producer.pushFull(submission);
  }

  async #openAtHome(segment: string): Promise<void> {
    const { store, placement } = this.#options;
    if (placement === null) return await store.openSegment(segment);
    const home = await placement.openHome(segment);
    if (home === null) throw this.#away("a server was not seen yet on which the Segment of these keys may lie");
  }

  #away(reason: string, cause?: unknown): Error {
    return createError("MR_STORE_UNAVAILABLE", { store: this.#options.store.url, reason }, { cause });
  }
}

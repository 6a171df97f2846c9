/**
 * The writing side of one process when its App has several servers (elsewhere: fail-over): writes its Node's own
 * Segment while the home of that answers, and another one, on a site that does, while it does not.
 *
 * What may have reached a home that is away stays with it and is sent again there alone, so nothing is ever in two
 * places; what certainly has not is taken back and goes where new work goes. Work comes home again once the home has
 * answered for a while: a site that comes and goes is not worth following.
 */
import type { Timer } from "../base/clock.js";
import { createError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { Placement } from "../engine/placement.js";
import { Producer, type ProducerOptions } from "./producer.js";
import type { FullSubmission, Submission, SubmissionSink } from "./submission.js";

/** What a HomingProducer needs beside what a Producer does. */
export interface HomingOptions extends Omit<ProducerOptions, "segment"> {
  readonly node: string;
  readonly placement: Placement;
  readonly log: Logger;
  /** Told of each Segment that this process has opened to write. */
  readonly opened: (segment: string) => void;
}

/** How often health is looked at; a look is arithmetic, not a call. */
const LOOK_MS = 250;
/** A site away for so long is worth leaving; one that only restarts a connection is not. */
const AWAY_MS = 1_500;
/** A home that has answered for so long is worth returning to. */
const HEALED_MS = 5_000;
/** Between two searches for a home that is not known yet. */
const SEARCH_MS = 2_000;

/** Hands submissions to the Producer of the Segment that new work goes to. */
export class HomingProducer implements SubmissionSink {
  readonly #options: HomingOptions;
  /** One per Segment this process has written, the home among them. */
  readonly #producers = new Map<string, Producer>();
  #target: Producer;
  #segment: string;
  /** The Node's own Segment, null until its home is known. */
  #home: string | null;
  #timer: Timer | null = null;
  #isMoving = false;
  #searchedMs = Number.NEGATIVE_INFINITY;
  #endError: Error | null = null;

  /** Opens a Segment to write. Errors: what the home refuses with if no other site answers either. */
  static async open(options: HomingOptions): Promise<HomingProducer> {
    const { placement, node } = options;
    let home: string | null = null;
    let refusal: unknown = null;
    try {
      home = await placement.openHome(node);
    } catch (error) {
      refusal = error;
    }
    const segment = home ?? (await placement.openElsewhere(node));
    if (segment === null) {
      const reason = "no server answers on which this Node could write";
      throw refusal ?? createError("MR_STORE_UNAVAILABLE", { store: options.store.url, reason });
    }
    return new HomingProducer(options, segment, home);
  }

  private constructor(options: HomingOptions, segment: string, home: string | null) {
    this.#options = options;
    this.#home = home;
    this.#segment = segment;
    this.#target = this.#producerOf(segment);
    if (segment !== home) this.#tellMove(segment);
    this.#lookLater();
  }

  /** The Segment that new work goes to now. */
  get segment(): string {
    return this.#segment;
  }

  push(queue: string, submission: Submission): void {
    this.#target.push(queue, submission);
  }

  pushFull(submission: FullSubmission): void {
    this.#target.pushFull(submission);
  }

  get backlog(): number {
    let backlog = 0;
    for (const producer of this.#producers.values()) backlog += producer.backlog;
    return backlog;
  }

  end(error: Error): void {
    this.#endError = error;
    this.#timer?.cancel();
    for (const producer of this.#producers.values()) producer.end(error);
  }

  #producerOf(segment: string): Producer {
    let producer = this.#producers.get(segment);
    if (producer === undefined) {
      producer = new Producer({ ...this.#options, segment });
      this.#producers.set(segment, producer);
      this.#options.opened(segment);
    }
    return producer;
  }

  #lookLater(): void {
    if (this.#endError !== null) return;
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => {
      this.#look();
      this.#lookLater();
    });
    this.#timer.unref();
  }

  #look(): void {
    if (this.#isAway(this.#segment)) {
      if (!this.#isMoving) void this.#move();
    } else if (this.#segment !== this.#home && this.#isHealed()) {
      if (this.#home !== null) this.#aim(this.#home);
      else if (!this.#isMoving) void this.#findHome();
    }
    // Calls that were on their way when the site went have been refused or lost meanwhile.
    for (const [segment, producer] of this.#producers) {
      if (segment !== this.#segment && this.#isAway(segment)) this.#moveWithdrawn(producer);
    }
  }

  #isAway(segment: string): boolean {
    const { isAnswering, sinceMs } = this.#options.placement.health(segment);
    return !isAnswering && this.#options.clock.monotonicMs() - sinceMs >= AWAY_MS;
  }

  #isHealed(): boolean {
    if (this.#home === null) return true;
    const { isAnswering, sinceMs } = this.#options.placement.health(this.#home);
    return isAnswering && this.#options.clock.monotonicMs() - sinceMs >= HEALED_MS;
  }

  async #move(): Promise<void> {
    const { placement, node } = this.#options;
    this.#isMoving = true;
    try {
      const isHomeUp = this.#home !== null && placement.health(this.#home).isAnswering;
      const segment = isHomeUp ? this.#home : await placement.openElsewhere(node);
      if (segment === null || this.#endError !== null) return;
      // It may have come back while the other was opened.
      if (segment !== this.#segment && this.#isAway(this.#segment)) this.#aim(segment);
    } finally {
      this.#isMoving = false;
    }
  }

  async #findHome(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#searchedMs < SEARCH_MS) return;
    this.#searchedMs = nowMs;
    this.#isMoving = true;
    try {
      this.#home = await this.#options.placement.openHome(this.#options.node);
    } catch {
      // It is known where it is and that it does not answer; a later look tries again.
    } finally {
      this.#isMoving = false;
    }
  }

  #aim(segment: string): void {
    const before = this.#target;
    const isAway = this.#isAway(this.#segment);
    this.#segment = segment;
    this.#target = this.#producerOf(segment);
    this.#tellMove(segment);
    if (isAway) this.#moveWithdrawn(before);
  }

  #moveWithdrawn(from: Producer): void {
    const { fast, full } = from.withdraw();
    for (const { queue, submission } of fast) this.#target.push(queue, submission);
    for (const submission of full) this.#target.pushFull(submission);
  }

  #tellMove(segment: string): void {
    const { log, node, counters } = this.#options;
    if (segment === this.#home) {
      log.info({ node, segment }, "this Node's home answers again: new work goes there");
      return;
    }
    counters.add("failovers");
    log.warn({ node, segment }, "this Node's home does not answer: new work goes to a Segment on another server");
  }
}

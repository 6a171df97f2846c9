/**
 * How Foremen share Segments (elsewhere: work stealing): each attends its Queues in its Node's own Segment, goes where
 * nobody attends, and helps where it is called while it has nothing else to do. So a bell wakes one process and costs
 * one claim, however many Nodes there are, and an overloaded Segment has helpers within about ten milliseconds.
 *
 * Holds the timer for two pure policies: queue/hold-off.ts says when to go elsewhere, queue/help-calls.ts when to call.
 */
import type { Timer } from "../base/clock.js";
import type { BellCause } from "../engine/store.js";
import { HelpCalls } from "../queue/help-calls.js";
import { type Due, HoldOff, type Place } from "../queue/hold-off.js";
import type { ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";

/** What goes without a bell has no priority of its own. */
const DEFAULT_PRIORITY = { priority: 0 };

/** What sharing needs. */
export interface SharingOptions extends ResendContext {
  readonly segments: Segments;
  /** Queues this Foreman runs Operations of. */
  readonly queues: readonly string[];
  /** Called when Segments were hinted, or a pool may be asked again whether it has something to do. */
  readonly wake: () => void;
}

/** The answer of a claim, as sharing sees it. */
export interface Answered {
  readonly view: SegmentView;
  /** Queues that were claimed from. */
  readonly queues: readonly string[];
  /** Operations it brought. */
  readonly brought: number;
  readonly mayHoldMore: boolean;
  /** How long claims take. */
  readonly claimMs: number;
}

/** One Foreman's part in it. */
export class Sharing {
  readonly #options: SharingOptions;
  /** Queues it attends where it attends. */
  #queues: readonly string[];
  readonly #holdOff: HoldOff;
  readonly #helpCalls = new HelpCalls();
  /** Attended places that rang since the last look at all hints. */
  #rung: Place[] = [];
  #claimMs = 0;
  #timer: Timer | null = null;
  #timerMs = Number.POSITIVE_INFINITY;
  /** There may be others: calls for help can be heard. */
  #isShared = false;

  constructor(options: SharingOptions) {
    this.#options = options;
    this.#queues = options.queues;
    this.#holdOff = new HoldOff(options.random);
  }

  /** Begins to attend. Before hints are followed for the first time: what comes afterwards rings here. */
  async start(): Promise<void> {
    this.#isShared = await this.#options.store.attend(this.#queues);
  }

  /**
   * Attends these Queues from now on; others are called to what may wait in one that is left out: they have heard nothing of
   * it. Once it has started.
   */
  async change(queues: readonly string[]): Promise<void> {
    const left = this.#queues.filter((queue) => !queues.includes(queue));
    this.#queues = queues;
    this.#isShared = await this.#options.store.attend(queues);
    if (this.#isShared) await this.#callToAttended(left);
  }

  /** Ends to attend, and calls the others to what may be ready there: they have heard nothing of it. */
  async stop(): Promise<void> {
    const mustCall = this.#isShared;
    this.#isShared = false;
    this.#timer?.cancel();
    this.#timer = null;
    await this.#options.store.attend([]);
    if (mustCall) await this.#callToAttended(this.#queues);
  }

  async #callToAttended(queues: readonly string[]): Promise<void> {
    const { store, segments } = this.#options;
    const attended = [...segments.all()].filter((view) => view.isAttended);
    const calls = attended.flatMap(({ name }) =>
      queues.map((queue) => store.callForHelp(name, queue, segments.highest(name, queue))),
    );
    await Promise.allSettled(calls); // a store that is away: their surveys tell the others
  }

  /** Whether what this process enqueues there is looked after here, without a bell. */
  attends(segment: string, queue: string): boolean {
    const { segments } = this.#options;
    return this.#isShared && this.#queues.includes(queue) && segments.view(segment).isAttended;
  }

  /** Takes word that Operations are on their way to a place it attends; all hints must be looked at soon. */
  sent(segment: string, queue: string): void {
    this.#options.segments.hint(segment, queue, DEFAULT_PRIORITY);
    this.#rung.push({ segment, queue, priority: 0 });
  }

  /** Takes a bell; all hints must be looked at soon, then `looked` be called. */
  rang(place: Place, cause: BellCause): void {
    const { segments, clock } = this.#options;
    const { segment, queue, priority } = place;
    if (cause === "attended") {
      segments.hint(segment, queue, { priority }).isAttended = true;
      if (this.#isShared) this.#rung.push(place);
      return;
    }
    const nowMs = clock.monotonicMs();
    if (cause === "help") this.#helpCalls.heard(segment, nowMs, priority);
    this.#holdOff.heard(place, cause === "help", nowMs);
    this.#hintDue([]);
    this.#arm();
  }

  /** All hints were looked at: what rang and is not being claimed has found no room here. */
  looked(): void {
    if (this.#rung.length === 0) return;
    const rung = this.#rung.splice(0);
    const { segments } = this.#options;
    for (const { segment, queue } of rung) if (!segments.view(segment).isBusy) this.#noteWaiting(segment, queue);
    this.#arm();
  }

  /** Learns from the answer of a claim. */
  answered({ view, queues, brought, mayHoldMore, claimMs }: Answered): void {
    this.#claimMs = claimMs;
    if (!view.isAttended) return this.#holdOff.answered(view.name, brought > 0);
    if (!this.#isShared) return;
    for (const queue of queues) {
      if (mayHoldMore) this.#noteWaiting(view.name, queue);
      else this.#helpCalls.emptied({ segment: view.name, queue });
    }
    if (mayHoldMore) this.#arm();
  }

  /** Whether `seek` could find anything: cheap enough for every claim. */
  get isAsked(): boolean {
    return !this.#holdOff.isEmpty;
  }

  /**
   * Asked for a pool over these Queues that has room, and hints of priorities up to `above` (by default none): hints where
   * something of a higher one waits; whether there is such a place.
   */
  seek(queues: readonly string[], above = Number.NEGATIVE_INFINITY): boolean {
    return this.#hintDue(queues, above);
  }

  #hintDue(idleQueues: readonly string[], above?: number): boolean {
    const places: readonly Due[] = this.#holdOff.take(this.#options.clock.monotonicMs(), idleQueues, above);
    for (const { segment, queue, priority, isCall } of places) {
      this.#options.segments.hint(segment, queue, { priority, isCall });
    }
    return places.length > 0;
  }

  #noteWaiting(segment: string, queue: string): void {
    const { segments, clock } = this.#options;
    const priority = segments.highest(segment, queue);
    this.#helpCalls.waiting({ segment, queue, priority }, clock.monotonicMs(), this.#claimMs);
  }

  #fire(): void {
    const { store, clock, counters, wake } = this.#options;
    for (const { segment, queue, priority } of this.#helpCalls.take(clock.monotonicMs())) {
      counters.add("helpCalls");
      store.callForHelp(segment, queue, priority).catch(() => undefined); // the next call is as good
    }
    this.#hintDue([]);
    wake();
    this.#arm();
  }

  #arm(): void {
    if (!this.#isShared) return;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const nextMs = Math.min(
      this.#holdOff.nextMs(nowMs) ?? Number.POSITIVE_INFINITY,
      this.#helpCalls.nextMs() ?? Number.POSITIVE_INFINITY,
    );
    if (nextMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = nextMs;
    // In whole milliseconds, as timers know them: a fraction too early would be due again at once.
    this.#timer = clock.setTimer(Math.ceil(nextMs - nowMs), () => {
      this.#timer = null;
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#fire();
    });
    this.#timer.unref();
  }
}

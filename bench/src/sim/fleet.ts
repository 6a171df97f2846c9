/**
 * Many Nodes over one server in virtual time: enqueue → bell → claim → run → complete, with batches that form while
 * calls are under way, a server that does one call after the other, and Foremen that call each other for help.
 *
 * The policies of sharing are the real ones (queue/hold-off.ts, queue/help-calls.ts); the rest repeats what Feeder,
 * lanes and Completer do: two enqueues of a Node in flight, one claim at a time for each Segment, one completion at a
 * time for each Segment, room for what slots do in two round trips.
 */
import { HelpCalls, HoldOff, seededRandom } from "@millrace/core/internal";
import { costOf, type ServerCosts } from "./costs.js";
import { Timeline } from "./timeline.js";

/** What a fleet does. */
export interface FleetSpec {
  readonly nodes: number;
  /** Operations a Node of ordinary size enqueues in a second. */
  readonly perSecond: number;
  /** Mean run time of an Operation, in ms; exponential. */
  readonly serviceMs: number;
  readonly slots: number;
  /** One in so many Nodes enqueues more than its own slots can run. */
  readonly hotEvery: number;
  /** How much more than its own slots can run such a Node enqueues: 1.5 is half as much again. */
  readonly hotLoad: number;
  readonly seconds: number;
  /** Share of the server that duties take, 0…1: its calls go slower by as much. */
  readonly background: number;
  readonly seed: number;
}

/** What it cost, over the measured part of the time. */
export interface FleetResult {
  readonly enqueued: number;
  readonly completed: number;
  readonly enqueueCalls: number;
  readonly claimCalls: number;
  readonly emptyClaims: number;
  readonly completeCalls: number;
  readonly bells: number;
  readonly helpCalls: number;
  /** Messages that help calls made the server send. */
  readonly heard: number;
  /** Share of the time in which the server worked for the Operations themselves. */
  readonly share: number;
  /** From enqueue to acknowledged completion, in ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const QUEUE = "async";
const ENQUEUES_IN_FLIGHT = 2;
const BATCH_MAX = 1_000;
const CLAIM_AHEAD_MS_MIN = 4;
/** The first part is warm-up: batches and spans find their size. */
const WARM_UP_SHARE = 0.4;
const LATENCIES_MAX = 400_000;

interface Segment {
  readonly owner: FleetNode;
  /** Arrival times of what is ready. */
  ready: number[];
  head: number;
}

/** Simulates. */
export function playFleet(spec: FleetSpec, costs: ServerCosts): FleetResult {
  return new Fleet(spec, costs).run();
}

class Fleet {
  readonly spec: FleetSpec;
  readonly costs: ServerCosts;
  readonly time = new Timeline();
  readonly random;
  readonly nodes: readonly FleetNode[];
  readonly latencies: number[] = [];
  counts = newCounts();
  #calls: { readonly costUs: () => number; readonly reply: () => void }[] = [];
  #head = 0;
  #isServing = false;

  constructor(spec: FleetSpec, costs: ServerCosts) {
    this.spec = spec;
    this.costs = costs;
    this.random = seededRandom(spec.seed);
    this.nodes = Array.from({ length: spec.nodes }, (_, index) => new FleetNode(this, index));
  }

  run(): FleetResult {
    const { seconds } = this.spec;
    for (const node of this.nodes) node.start();
    this.time.runTo(seconds * 1_000 * WARM_UP_SHARE);
    this.counts = newCounts();
    this.latencies.length = 0;
    this.time.runTo(seconds * 1_000);
    const measuredMs = seconds * 1_000 * (1 - WARM_UP_SHARE);
    const sorted = Float64Array.from(this.latencies).sort();
    const { busyUs, ...counts } = this.counts;
    return {
      ...counts,
      share: busyUs / 1_000 / measuredMs,
      p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    };
  }

  /** Sends a call: half a round trip there, its turn at the server, half a round trip back. */
  call(costUs: () => number, reply: () => void): void {
    this.time.at(this.time.nowMs + this.costs.roundTripMs / 2, () => {
      this.#calls.push({ costUs, reply });
      if (!this.#isServing) this.#serve();
    });
  }

  #serve(): void {
    const call = this.#calls[this.#head];
    if (call === undefined) {
      this.#isServing = false;
      this.#calls = [];
      this.#head = 0;
      return;
    }
    this.#head++;
    if (this.#head > 8_192) {
      this.#calls = this.#calls.slice(this.#head);
      this.#head = 0;
    }
    this.#isServing = true;
    const us = call.costUs();
    this.counts.busyUs += us;
    const tookMs = us / 1_000 / (1 - this.spec.background);
    this.time.at(this.time.nowMs + tookMs, () => {
      this.time.at(this.time.nowMs + this.costs.roundTripMs / 2, call.reply);
      this.#serve();
    });
  }
}

class FleetNode {
  readonly index: number;
  readonly #fleet: Fleet;
  readonly #segment: Segment;
  readonly #perMs: number;
  readonly #holdOff: HoldOff;
  readonly #helpCalls = new HelpCalls();
  #pending: number[] = [];
  #enqueuing = 0;
  #running = 0;
  #buffer: { readonly segment: Segment; readonly atMs: number }[] = [];
  #asked = 0;
  /** Own Segment may hold more than the last claim took. */
  #hasMore = false;
  readonly #claiming = new Set<Segment>();
  readonly #outcomes = new Map<Segment, number[]>();
  readonly #completing = new Set<Segment>();
  #claimMs = 1;
  #armedMs = Number.POSITIVE_INFINITY;

  constructor(fleet: Fleet, index: number) {
    this.#fleet = fleet;
    this.index = index;
    const { slots, serviceMs, perSecond, hotEvery, hotLoad } = fleet.spec;
    const own = (slots / serviceMs) * 1_000;
    this.#perMs = (hotEvery > 0 && index % hotEvery === 0 ? own * hotLoad : perSecond) / 1_000;
    this.#segment = { owner: this, ready: [], head: 0 };
    this.#holdOff = new HoldOff(fleet.random);
  }

  start(): void {
    this.#plan();
  }

  #plan(): void {
    const { time, random } = this.#fleet;
    time.at(time.nowMs - Math.log(1 - random.next()) / this.#perMs, () => {
      this.#pending.push(time.nowMs);
      this.#fleet.counts.enqueued++;
      this.#enqueue();
      this.#plan();
    });
  }

  #enqueue(): void {
    if (this.#enqueuing >= ENQUEUES_IN_FLIGHT || this.#pending.length === 0) return;
    const batch = this.#pending.splice(0, BATCH_MAX);
    const { costs, counts, time } = this.#fleet;
    const segment = this.#segment;
    this.#enqueuing++;
    counts.enqueueCalls++;
    this.#fleet.call(
      () => {
        const wasEmpty = segment.ready.length === segment.head;
        for (const atMs of batch) segment.ready.push(atMs);
        if (!wasEmpty) return costOf(costs.enqueue, batch.length);
        this.#fleet.counts.bells++;
        time.at(time.nowMs + costs.roundTripMs / 2, () => this.#rang());
        return costOf(costs.enqueue, batch.length) + costOf(costs.publish, 1);
      },
      () => {
        this.#enqueuing--;
        this.#enqueue();
      },
    );
  }

  /** Its own Segment's bell. */
  #rang(): void {
    this.#hasMore = true;
    this.#wake();
    if (!this.#claiming.has(this.#segment)) this.#noteWaiting();
  }

  /** A call for help of another Node. */
  heard(segment: Segment): void {
    const { nowMs } = this.#fleet.time;
    const name = String(segment.owner.index);
    this.#helpCalls.heard(name, nowMs, 0);
    this.#holdOff.heard({ segment: name, queue: QUEUE, priority: 0 }, true, nowMs);
    this.#arm();
  }

  get #room(): number {
    const { slots, serviceMs } = this.#fleet.spec;
    const aheadMs = Math.max(CLAIM_AHEAD_MS_MIN, 2 * this.#claimMs);
    const capacity = slots + Math.floor((slots * aheadMs) / serviceMs);
    const room = capacity - this.#running - this.#buffer.length - this.#asked;
    return this.#buffer.length > 0 && room < capacity / 2 ? 0 : room;
  }

  #wake(): void {
    if (this.#room > 0 && this.#hasMore && !this.#claiming.has(this.#segment)) this.#claim(this.#segment);
    if (this.#room > 0) this.#help();
  }

  /** Goes where help was called for and is due. */
  #help(): void {
    const { time, nodes } = this.#fleet;
    const isIdle = !this.#hasMore && this.#room > 0;
    for (const { segment: name } of this.#holdOff.take(time.nowMs, isIdle ? [QUEUE] : [])) {
      const segment = nodes[Number(name)]?.ownSegment;
      if (segment !== undefined && !this.#claiming.has(segment)) this.#claim(segment);
    }
  }

  get ownSegment(): Segment {
    return this.#segment;
  }

  #claim(segment: Segment): void {
    const { costs, counts, time } = this.#fleet;
    const max = Math.min(this.#room, BATCH_MAX);
    if (max <= 0) return;
    const sentMs = time.nowMs;
    let brought: number[] = [];
    let isMore = false;
    this.#claiming.add(segment);
    this.#asked += max;
    counts.claimCalls++;
    this.#fleet.call(
      () => {
        brought = segment.ready.slice(segment.head, segment.head + max);
        segment.head += brought.length;
        if (segment.head > 4_096) {
          segment.ready = segment.ready.slice(segment.head);
          segment.head = 0;
        }
        isMore = segment.ready.length > segment.head;
        return brought.length === 0 ? costOf(costs.emptyClaim, 0) : costOf(costs.claim, brought.length);
      },
      () => {
        this.#claiming.delete(segment);
        this.#asked -= max;
        this.#claimMs += 0.2 * (time.nowMs - sentMs - this.#claimMs);
        if (brought.length === 0) this.#fleet.counts.emptyClaims++;
        for (const atMs of brought) this.#buffer.push({ segment, atMs });
        this.#answered(segment, brought.length, isMore);
        this.#begin();
        this.#wake();
      },
    );
  }

  #answered(segment: Segment, brought: number, isMore: boolean): void {
    const name = String(segment.owner.index);
    if (segment.owner !== this) {
      this.#holdOff.answered(name, brought > 0);
      // As the rotation does: behind all others if there may be more.
      if (isMore && !this.#hasMore && this.#room > 0) this.#claim(segment);
      return;
    }
    this.#hasMore = isMore;
    if (isMore) this.#noteWaiting();
    else this.#helpCalls.emptied({ segment: name, queue: QUEUE });
  }

  #noteWaiting(): void {
    const place = { segment: String(this.index), queue: QUEUE, priority: 0 };
    this.#helpCalls.waiting(place, this.#fleet.time.nowMs, this.#claimMs);
    this.#arm();
  }

  #begin(): void {
    const { spec, time, random } = this.#fleet;
    while (this.#running < spec.slots) {
      const next = this.#buffer.shift();
      if (next === undefined) return;
      this.#running++;
      time.at(time.nowMs - Math.log(1 - random.next()) * spec.serviceMs, () => this.#end(next.segment, next.atMs));
    }
  }

  #end(segment: Segment, atMs: number): void {
    this.#running--;
    const outcomes = this.#outcomes.get(segment) ?? [];
    outcomes.push(atMs);
    this.#outcomes.set(segment, outcomes);
    this.#complete(segment);
    this.#begin();
    this.#wake();
  }

  #complete(segment: Segment): void {
    const outcomes = this.#outcomes.get(segment) ?? [];
    if (this.#completing.has(segment) || outcomes.length === 0) return;
    const batch = outcomes.splice(0, BATCH_MAX);
    const { costs, counts, time, latencies } = this.#fleet;
    this.#completing.add(segment);
    counts.completeCalls++;
    this.#fleet.call(
      () => costOf(costs.complete, batch.length),
      () => {
        this.#completing.delete(segment);
        this.#fleet.counts.completed += batch.length;
        for (const atMs of batch) if (latencies.length < LATENCIES_MAX) latencies.push(time.nowMs - atMs);
        this.#complete(segment);
      },
    );
  }

  #arm(): void {
    const { time } = this.#fleet;
    const nextMs = Math.min(
      this.#holdOff.nextMs(time.nowMs) ?? Number.POSITIVE_INFINITY,
      this.#helpCalls.nextMs() ?? Number.POSITIVE_INFINITY,
    );
    if (nextMs >= this.#armedMs) return;
    this.#armedMs = nextMs;
    time.at(Math.ceil(nextMs), () => {
      if (this.#armedMs > time.nowMs) return;
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#fire();
    });
  }

  #fire(): void {
    const { time } = this.#fleet;
    for (const { segment } of this.#helpCalls.take(time.nowMs)) this.#callForHelp(Number(segment));
    this.#help();
    this.#wake();
    this.#arm();
  }

  #callForHelp(index: number): void {
    const { costs, counts, nodes, time } = this.#fleet;
    const segment = nodes[index]?.ownSegment;
    if (segment === undefined) return;
    counts.helpCalls++;
    this.#fleet.call(
      () => {
        this.#fleet.counts.heard += nodes.length;
        time.at(time.nowMs + costs.roundTripMs / 2, () => {
          for (const node of nodes) if (node !== this) node.heard(segment);
        });
        return costOf(costs.publish, nodes.length);
      },
      () => undefined,
    );
  }
}

function newCounts() {
  return {
    enqueued: 0,
    completed: 0,
    enqueueCalls: 0,
    claimCalls: 0,
    emptyClaims: 0,
    completeCalls: 0,
    bells: 0,
    helpCalls: 0,
    heard: 0,
    busyUs: 0,
  };
}

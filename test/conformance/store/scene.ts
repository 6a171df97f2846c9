/**
 * What each test of the store contract starts from: a Segment of its own in a store whose clock the test moves, short
 * calls, and ears for its events. All tests of one suite share a store, so nothing here may depend on being alone.
 */
import type {
  Claim,
  EnqueueAnswer,
  FullElement,
  Held,
  LocalDot,
  OperationRecord,
  Store,
  StoreListener,
} from "@millrace/core/internal";
import { expect } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { within } from "../../helper/wait.js";

/** A store as the suite needs it: with a clock to move and its state to look at. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Moves the clock of every open Segment; 0 gives a Segment just opened the same time as the others. */
  advance(ms: number): Promise<void>;
  /** All that is stored of a Segment, in canonical form: equal snapshots mean equal states. */
  snapshot(segment: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Makes a store for one suite. */
export type Setup = () => Promise<StoreUnderTest>;

/** Something the store told on its own account. */
export type Event =
  | { readonly kind: "bell"; readonly queue: string /** Where it is not 0. */; readonly priority?: number }
  | { readonly kind: "due"; readonly inMs: number }
  | { readonly kind: "settled"; readonly id: string; readonly [field: string]: unknown }
  | { readonly kind: "progressed"; readonly id: string; readonly value: unknown }
  | { readonly kind: "marked"; readonly owner: string };

/** A lane that was opened. */
export interface Lane {
  readonly lane: number;
  readonly laneName: string;
}

/** How long the suite keeps what has finished, unless a test says otherwise. */
export const retainMs = 60_000;

/** The ways in which an Operation stops running, by which it ends or waits again: see `Scene.letGo`. */
export const waysOut = ["complete", "fail", "retry", "release", "delay", "rescue", "poison", "cancel"] as const;

let scenesOpened = 0;

export class Scene {
  readonly segment: string;
  readonly events: Event[] = [];
  /** How far this scene has moved the clock that it shares with the others. */
  movedMs = 0;
  readonly #sut: StoreUnderTest;
  readonly #unlisten: () => void;
  #onEvent: (() => void)[] = [];
  #requests = new Map<string, number>();

  private constructor(sut: StoreUnderTest) {
    scenesOpened += 1;
    this.#sut = sut;
    this.segment = `seg-${scenesOpened}.eu`;
    this.#unlisten = sut.store.listen(this.#listener());
  }

  static async open(sut: StoreUnderTest): Promise<Scene> {
    const scene = new Scene(sut);
    await sut.store.openSegment(scene.segment);
    await sut.advance(0);
    return scene;
  }

  close(): void {
    this.#unlisten();
  }

  get store(): Store {
    return this.#sut.store;
  }

  advance(ms: number): Promise<void> {
    this.movedMs += ms;
    return this.#sut.advance(ms);
  }

  async snapshot(): Promise<unknown> {
    return plain(await this.#sut.snapshot(this.segment));
  }

  // ── Short calls ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a lane of the fast path. */
  async fast(queue = "q", laneName = "a1.01"): Promise<Lane> {
    const { answer, lane } = await this.store.laneOpen(this.segment, { laneName, queue });
    expect(answer).toBe("ok");
    return { lane, laneName };
  }

  /** Opens the lane of the full path. */
  async full(laneName = "a1.00"): Promise<Lane> {
    const { answer, lane } = await this.store.laneOpen(this.segment, { laneName, queue: null });
    expect(answer).toBe("ok");
    return { lane, laneName };
  }

  /** Enqueues texts by the fast path. */
  enqueue(lane: Lane, first: number, texts: readonly string[], isQuiet = false): Promise<EnqueueAnswer> {
    return this.store.enqueue(this.segment, { ...lane, first, bodies: texts.map(bytes), isQuiet });
  }

  /** Enqueues by the full path; what an element does not say is: Queue `q`, priority 0, now, body `f<counter>`. */
  async enqueueFull(
    lane: Lane,
    elements: readonly (Partial<FullElement> & { counter: number; text?: string })[],
  ): Promise<readonly string[]> {
    const { answer, answers } = await this.store.enqueueFull(this.segment, {
      ...lane,
      elements: elements.map(({ text, ...element }) => ({
        queue: "q",
        priority: 0,
        due: null,
        body: bytes(text ?? `f${element.counter}`),
        ...element,
      })),
    });
    expect(answer).toBe("ok");
    return answers;
  }

  /** Claims with the owner's next request number. */
  async claim(owner: string, max = 1000, queues: readonly string[] = ["q"]): Promise<readonly Claim[]> {
    const request = (this.#requests.get(owner) ?? 0) + 1;
    this.#requests.set(owner, request);
    const { answer, claims } = await this.store.claim(this.segment, { owner, request, queues, max });
    expect(answer).toBe("ok");
    return claims;
  }

  /** Claims exactly one. */
  async claimOne(owner: string, queue = "q"): Promise<Claim> {
    return only(await this.claim(owner, 1, [queue]));
  }

  /** The bodies of what an owner claims, as texts. */
  async claimTexts(owner: string, max = 1000, queues: readonly string[] = ["q"]): Promise<readonly string[]> {
    return texts(await this.claim(owner, max, queues));
  }

  async complete(owner: string, held: readonly Held[], text = "done"): Promise<readonly string[]> {
    const values = held.map(() => bytes(text));
    return (await this.store.complete(this.segment, { owner, retainMs, held: held.map(proof), values })).answers;
  }

  async fail(owner: string, held: Held, retryInMs: number | null, text = "error"): Promise<string> {
    const elements = [{ ...proof(held), retryInMs, value: bytes(text) }];
    return only((await this.store.fail(this.segment, { owner, retainMs, elements })).answers);
  }

  async release(owner: string, held: readonly Held[], delayMs: number | null = null): Promise<readonly string[]> {
    const elements = held.map((one) => ({ ...proof(one), delayMs }));
    return (await this.store.release(this.segment, { owner, retainMs, elements })).answers;
  }

  async cancel(lane: Lane, counters: readonly number[], text = "not needed"): Promise<readonly string[]> {
    const dots = counters.map((counter) => ({ laneName: lane.laneName, counter }));
    return (await this.store.cancel(this.segment, { dots, retainMs, value: bytes(text) })).answers;
  }

  async requeue(lane: Lane, counter: number): Promise<string> {
    const dots = [{ laneName: lane.laneName, counter }];
    return only((await this.store.requeue(this.segment, { dots })).answers);
  }

  async progress(owner: string, held: Held, text: string): Promise<string> {
    const elements = [{ ...proof(held), value: bytes(text) }];
    return only((await this.store.progress(this.segment, { owner, elements })).answers);
  }

  promote(max = 1000) {
    return this.store.promote(this.segment, { max });
  }

  prune(max = 1000) {
    return this.store.prune(this.segment, { max });
  }

  counts() {
    return this.store.counts(this.segment);
  }

  async beat(owner: string): Promise<number> {
    const { answer, beat } = await this.store.extend(this.segment, { owner });
    expect(answer).toBe("ok");
    return beat;
  }

  /** The owner's counter as an observer sees it. */
  async beatSeen(owner: string): Promise<number> {
    const found = (await this.counts()).owners.find((one) => one.owner === owner);
    if (found === undefined) throw new Error(`${owner} holds nothing`);
    return found.beat;
  }

  /** Lets `owner` let go of what it runs, in one of the ways; what waits again waits 500 ms, if it waits at all. */
  async letGo(way: (typeof waysOut)[number], owner: string, lane: Lane, claim: Held): Promise<void> {
    if (way === "complete") await this.complete(owner, [claim]);
    if (way === "fail") await this.fail(owner, claim, null);
    if (way === "retry") await this.fail(owner, claim, 500);
    if (way === "release") await this.release(owner, [claim]);
    if (way === "delay") await this.release(owner, [claim], 500);
    if (way === "rescue") await this.rescue(owner);
    if (way === "poison") await this.rescue(owner, { recoveriesMax: 0 });
    if (way === "cancel") {
      await this.cancel(lane, [claim.counter]);
      await this.fail(owner, claim, 500);
    }
  }

  /** Rescues an owner by the counter seen now. */
  async rescue(owner: string, options: { max?: number; recoveriesMax?: number } = {}) {
    const beat = await this.beatSeen(owner);
    return this.store.rescue(this.segment, {
      owner,
      beat,
      max: 1000,
      recoveriesMax: 3,
      retainMs,
      poison: bytes("poison"),
      ...options,
    });
  }

  /** What `find` says of one Operation. */
  async find(lane: Lane, counter: number, options: { wait?: boolean } = {}): Promise<OperationRecord | string> {
    const dots: LocalDot[] = [{ laneName: lane.laneName, counter }];
    return only((await this.store.find(this.segment, { dots, wait: options.wait ?? false })).records);
  }

  /** The record of an Operation that must have one. */
  async record(lane: Lane, counter: number): Promise<OperationRecord> {
    const found = await this.find(lane, counter);
    if (typeof found === "string") throw new Error(`${lane.laneName} ${counter} is ${found}`);
    return found;
  }

  /** The state of an Operation: a state, `pruned` or `missing`. */
  async state(lane: Lane, counter: number): Promise<string> {
    const found = await this.find(lane, counter);
    return typeof found === "string" ? found : found.state;
  }

  /** The full id of an Operation. */
  id(lane: Lane, counter: number): string {
    const at = lane.laneName.lastIndexOf(".");
    return `${this.segment}.${lane.laneName.slice(0, at)}.${counter.toString(36)}${lane.laneName.slice(at + 1)}`;
  }

  // ── Events ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Resolves with the first event that fits, past or future. */
  async heard(fits: (event: Event) => boolean, what: string): Promise<Event> {
    for (;;) {
      const found = this.events.find(fits);
      if (found !== undefined) return found;
      await within(new Promise<void>((resolve) => this.#onEvent.push(resolve)), what);
    }
  }

  bell(queue: string): Promise<Event> {
    return this.heard((event) => event.kind === "bell" && event.queue === queue, `the bell of ${queue}`);
  }

  settled(lane: Lane, counter: number): Promise<Event> {
    const id = this.id(lane, counter);
    return this.heard((event) => event.kind === "settled" && event.id === id, `the end of ${id}`);
  }

  /** All events so far; waits until everything told before this call has arrived. */
  async eventsSoFar(): Promise<readonly Event[]> {
    const queue = "fence";
    await this.store.queuePause(this.segment, { queue });
    await this.store.queueResume(this.segment, { queue });
    await this.bell(queue);
    const all = this.events.splice(0);
    return all.filter((event) => !(event.kind === "bell" && event.queue === queue));
  }

  #listener(): StoreListener {
    const tell = (event: Event): void => {
      this.events.push(event);
      const waiting = this.#onEvent;
      this.#onEvent = [];
      for (const resolve of waiting) resolve();
    };
    const isOurs = (id: string): boolean => id.startsWith(`${this.segment}.`);
    return {
      bell: (segment, queue, _cause, priority) => {
        const bell = { kind: "bell", queue } as const;
        if (segment === this.segment) tell(priority === 0 ? bell : { ...bell, priority });
      },
      due: (segment, inMs) => {
        if (segment === this.segment) tell({ kind: "due", inMs });
      },
      settled: (outcome) => {
        if (isOurs(outcome.id)) tell({ kind: "settled", ...outcome, value: plain(outcome.value) });
      },
      progressed: (id, value) => {
        if (isOurs(id)) tell({ kind: "progressed", id, value: plain(value) });
      },
      marked: (segment, owner) => {
        if (segment === this.segment) tell({ kind: "marked", owner });
      },
      restored: () => {},
    };
  }
}

/** The only element of an array. */
export function only<T>(elements: readonly T[]): T {
  const [first, ...more] = elements;
  if (first === undefined || more.length > 0) throw new Error(`expected one element, got ${elements.length}`);
  return first;
}

/** The element at a place that exists. */
export function at<T>(elements: readonly T[], index: number): T {
  const found = elements[index];
  if (found === undefined) throw new Error(`expected an element at ${index}, there are ${elements.length}`);
  return found;
}

/** The bodies of claims or records, as texts. */
export function texts(found: readonly { readonly body: Uint8Array | null }[]): readonly string[] {
  return found.map(({ body }) => (body === null ? "-" : Buffer.from(body).toString("latin1")));
}

/** What a claim proves, alone. */
export function proof({ lane, counter, token }: Held): Held {
  return { lane, counter, token };
}

/** `count` texts with a common beginning. */
export function series(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

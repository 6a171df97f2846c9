/** The machine's laws under random commands, and that what is written of it is what it is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Claim } from "../../engine/transitions.js";
import { writeDirty } from "./journal.js";
import { openValue, RecordWriter, readSegmentKey } from "./layout.js";
import { type AnswerOf, apply, newSegment, type ParamsOf, type SegmentState, takeEvents } from "./machine.js";
import { rebuild, type StoredSegment } from "./recovery.js";
import { type SegmentSnapshot, snapshot } from "./snapshot.js";
import { isFinished, type Operation } from "./state.js";

type Name = Parameters<typeof apply>[1];

const OWNERS = ["o1", "o2", "o3"];
const QUEUES = ["q", "r"];
const FAST = ["a.01", "a.02", "b.01"];
const FULL = ["a.00", "b.00"];
const RETAIN = [1000, 5000, 100_000];

/** Plays random commands: draws from what it was answered, so that most of them hit something. */
class Player {
  readonly state: SegmentState;
  nowMs = 1_767_225_600_000;
  readonly claims: { owner: string; claim: Claim }[] = [];
  readonly #requests = new Map<string, number>();
  #text = 0;

  constructor(tracks: boolean) {
    this.state = newSegment("s", tracks);
    for (const [i, laneName] of FAST.entries()) {
      this.do("lane_open", { laneName, queue: QUEUES[i % QUEUES.length] ?? null });
    }
    for (const laneName of FULL) this.do("lane_open", { laneName, queue: null });
  }

  do<N extends Name>(name: N, params: ParamsOf<N>): AnswerOf<N> {
    const answer = apply(this.state, name, params, this.nowMs * 1000);
    takeEvents(this.state);
    return answer;
  }

  /** Turns three numbers into a command and applies it; returns how to repeat it if a repeat must change nothing. */
  play(kind: number, a: number, b: number): (() => void) | null {
    const owner = pick(OWNERS, a);
    const retainMs = pick(RETAIN, b);
    switch (kind) {
      case 0: {
        const laneName = pick(FAST, a);
        const lane = this.#lane(laneName);
        const first = Math.max(1, lane.accepted + 1 - (b % 3));
        const bodies = Array.from({ length: 1 + (b % 7) }, () => this.#body());
        return this.#again("enqueue", { lane: lane.number, laneName, first, bodies });
      }
      case 1: {
        const laneName = pick(FULL, a);
        const lane = this.#lane(laneName);
        const elements = Array.from({ length: 1 + (b % 3) }, (_, i) => ({
          counter: 1 + ((a + 5 * b + 3 * i) % 40),
          queue: pick(QUEUES, b + i),
          priority: pick([0, 0, 5, -5], a + i),
          due: pick([null, null, { in: 700 }, { at: this.nowMs + 300 }], b + i),
          body: this.#body(),
        }));
        return this.#again("enqueue_full", { lane: lane.number, laneName, elements });
      }
      case 2:
      case 3:
        return this.#claim(owner, 1 + (b % 6), a % 4 === 0 ? ["r", "q"] : ["q", "r"]);
      case 4: {
        const { held, owner: holder } = this.#held(a, 1 + (b % 5));
        const values = held.map(() => this.#body());
        return this.#again("complete", { owner: holder, retainMs, held, values });
      }
      case 5: {
        const { held, owner: holder } = this.#held(a, 1 + (b % 3));
        const elements = held.map((proof, i) => ({
          ...proof,
          retryInMs: pick([null, 0, 400], b + i),
          value: this.#body(),
        }));
        return this.#again("fail", { owner: holder, retainMs, elements });
      }
      case 6: {
        const { held, owner: holder } = this.#held(a, 1 + (b % 3));
        const elements = held.map((proof, i) => ({ ...proof, delayMs: pick([null, null, 500], b + i) }));
        return this.#again("release", { owner: holder, retainMs, elements });
      }
      case 7: {
        const laneName = pick([...FAST, ...FULL], a);
        // Half of them aim at what will be claimed next.
        const from = b % 2 === 0 ? this.#lane(laneName).claimed : b % 45;
        const dots = [0, 1, 2].map((i) => ({ laneName, counter: 1 + from + i }));
        return this.#again("cancel", { dots, retainMs, value: this.#body() });
      }
      case 8: {
        const { promoted } = this.do("promote", { max: 3 });
        return promoted < 3 ? () => this.do("promote", { max: 3 }) : null;
      }
      case 9: {
        const beat = this.state.owners.get(owner)?.beat ?? 0;
        const params = { owner, beat, max: 1 + (b % 4), recoveriesMax: 1, retainMs, poison: this.#body() };
        const { left } = this.do("rescue", params);
        if (left === 0) this.#requests.delete(owner);
        return left === 0 ? () => this.do("rescue", params) : null;
      }
      case 10: {
        const laneName = pick([...FAST, ...FULL], a);
        const dots = [0, 1, 2, 3].map((i) => ({ laneName, counter: 1 + ((b + i) % 45) }));
        return this.#again("requeue", { dots });
      }
      case 11: {
        this.nowMs += pick([10, 1000, 8000, 200_000, 86_400_000], a);
        const { more } = this.do("prune", { max: 1 + (b % 3) });
        return more ? null : () => this.do("prune", { max: 1 + (b % 3) });
      }
      case 12: {
        const { held, owner: holder } = this.#held(a, 2);
        return this.#again("progress", {
          owner: holder,
          elements: held.map((proof) => ({ ...proof, value: this.#body() })),
        });
      }
      case 13: {
        this.do("extend", { owner });
        return null;
      }
      case 14:
        return this.#again(a % 2 === 0 ? "queue_pause" : "queue_resume", { queue: pick(QUEUES, b) });
      default: {
        const laneName = pick([...FAST, ...FULL], a);
        const dots = [0, 1, 2].map((i) => ({ laneName, counter: 1 + ((b + i) % 45) }));
        return this.#again("find", { dots, wait: b % 2 === 0 });
      }
    }
  }

  #again<N extends Name>(name: N, params: ParamsOf<N>): () => void {
    this.do(name, params);
    return () => this.do(name, params);
  }

  #claim(owner: string, max: number, queues: readonly string[]): (() => void) | null {
    const request = (this.#requests.get(owner) ?? 0) + 1;
    const { claims } = this.do("claim", { owner, request, queues, max });
    if (claims.length === 0) return null;
    this.#requests.set(owner, request);
    for (const claim of claims) this.claims.push({ owner, claim });
    return () => {
      const again = this.do("claim", { owner, request, queues, max });
      expect(again.claims).toEqual(claims);
    };
  }

  /** Up to `count` proofs of one owner, current ones and old ones, no Operation twice. */
  #held(from: number, count: number) {
    const seen = new Set<string>();
    const held: { lane: number; counter: number; token: number }[] = [];
    const owner = this.claims[from % Math.max(1, this.claims.length)]?.owner ?? "nobody";
    for (let i = 0; i < this.claims.length && held.length < count; i++) {
      const one = this.claims[(from + i) % this.claims.length];
      if (one === undefined || one.owner !== owner) continue;
      const { lane, counter, token } = one.claim;
      if (seen.has(`${lane}.${counter}`)) continue;
      seen.add(`${lane}.${counter}`);
      held.push({ lane, counter, token });
    }
    return { owner, held };
  }

  #lane(name: string) {
    const lane = this.state.lanesByName.get(name);
    if (lane === undefined) throw new Error(`lane ${name} was opened`);
    return lane;
  }

  #body(): Uint8Array {
    this.#text++;
    return new Uint8Array(Buffer.from(`b${this.#text}`));
  }
}

function pick<T>(from: readonly T[], index: number): T {
  return from[index % from.length] as T; // index is never negative, from never empty
}

const sequence = fc.array(fc.tuple(fc.nat(15), fc.nat(200), fc.nat(200)), { maxLength: 120 });

describe("the machine, under random commands", () => {
  it("keeps every Operation in one place, and its counts are a recount", () => {
    fc.assert(
      fc.property(sequence, (commands) => {
        const player = new Player(false);
        for (const [kind, a, b] of commands) player.play(kind, a, b);
        recount(player.state);
      }),
      { numRuns: 300 },
    );
  });

  it("changes nothing when a transition is repeated", () => {
    fc.assert(
      fc.property(sequence, (commands) => {
        const player = new Player(false);
        for (const [kind, a, b] of commands) {
          const repeat = player.play(kind, a, b);
          if (repeat === null) continue;
          const before = snapshot(player.state);
          repeat();
          expect(snapshot(player.state)).toEqual(before);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is deterministic: the same commands give the same state", () => {
    fc.assert(
      fc.property(sequence, (commands) => {
        const [one, two] = [new Player(false), new Player(true)];
        for (const [kind, a, b] of commands) {
          one.play(kind, a, b);
          two.play(kind, a, b);
        }
        expect(snapshot(one.state)).toEqual(snapshot(two.state));
      }),
      { numRuns: 100 },
    );
  });
});

describe("what is written of a Segment", () => {
  it("is the Segment, whenever one looks, and goes on as it would have", () => {
    fc.assert(
      fc.property(sequence, fc.nat(9), (commands, every) => {
        const player = new Player(true);
        const disk = new Map<string, Buffer>();
        for (const [i, [kind, a, b]] of commands.entries()) {
          player.play(kind, a, b);
          if (i % 10 <= every) save(player.state, disk);
        }
        save(player.state, disk);
        const again = load(disk);
        recount(again);
        expect(durable(snapshot(again))).toEqual(durable(snapshot(player.state)));
        // Both are told to rescue, finish and prune everything: nothing may be left on disk but names and memory.
        for (const state of [player.state, again]) finishAll(state, player.nowMs);
        expect(durable(snapshot(again))).toEqual(durable(snapshot(player.state)));
        save(again, disk);
        expect([...disk.keys()].filter((key) => !LASTING.test(key))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

/** Keys of root, Queues, lanes and memory windows. */
const LASTING = /^1000000001(01|02|03|05)/;

function save(state: SegmentState, disk: Map<string, Buffer>): void {
  const writer = new RecordWriter(256);
  writeDirty(state, 1, writer);
  for (const { key, value } of writer.take()) {
    if (value === null) disk.delete(key.toString("hex"));
    else disk.set(key.toString("hex"), Buffer.from(value));
  }
}

function load(disk: ReadonlyMap<string, Buffer>): SegmentState {
  const stored: StoredSegment = new Map();
  for (const [hex, value] of [...disk].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = Buffer.from(hex, "hex");
    const place = readSegmentKey(key);
    if (place === null) throw new Error("all records are a Segment's");
    const records = stored.get(place.kind) ?? [];
    stored.set(place.kind, records);
    records.push({ kind: place.kind, key: place.rest, value: openValue(key, value) });
  }
  return rebuild("s", stored);
}

/** Waiters live in a process and end with it. */
function durable(taken: SegmentSnapshot): SegmentSnapshot {
  return { ...taken, waited: [] };
}

function finishAll(state: SegmentState, startMs: number): void {
  const value = new Uint8Array(1);
  let nowMs = startMs + 3600_000;
  const run = <N extends Name>(name: N, params: ParamsOf<N>): AnswerOf<N> => apply(state, name, params, nowMs * 1000);
  for (const queue of QUEUES) run("queue_resume", { queue });
  for (const owner of [...state.owners.values()]) {
    const params = { owner: owner.name, beat: owner.beat, max: 1000, recoveriesMax: 9, retainMs: 1000, poison: value };
    run("rescue", params);
  }
  run("promote", { max: 1000 });
  for (let request = 1; request < 100; request++) {
    const { claims, waiting } = run("claim", { owner: "end", request, queues: QUEUES, max: 100 });
    run("complete", { owner: "end", retainMs: 1000, held: claims, values: claims.map(() => value) });
    if (waiting === 0) break;
  }
  const beat = state.owners.get("end")?.beat ?? 0;
  run("rescue", { owner: "end", beat, max: 1, recoveriesMax: 0, retainMs: 1000, poison: value });
  nowMs += 3600_000;
  run("prune", { max: 100_000 });
}

/** Counts everything there is and compares it with what the state says. */
function recount(state: SegmentState): void {
  const places = new Map<string, string[]>();
  const at = (one: { lane: { name: string }; counter: number }, place: string): void => {
    const dot = `${one.lane.name} ${one.counter}`;
    places.set(dot, [...(places.get(dot) ?? []), place]);
  };
  for (const queue of state.queues.values()) {
    let [length, withdrawn] = [0, 0];
    for (const list of queue.active) {
      let inList = 0;
      for (const element of list.elements) {
        if (!element.isRun) {
          inList++;
          if (element.isWithdrawn) withdrawn++;
          else at(element, "ready");
          continue;
        }
        for (let i = element.popped; i < element.bodies.length; i++) {
          const counter = element.first + i;
          inList++;
          expect(counter).toBeGreaterThan(element.lane.claimed);
          if (element.lane.withdrawn.has(counter)) withdrawn++;
          else at({ lane: element.lane, counter }, "ready");
        }
      }
      expect(inList).toBe(list.length);
      expect(inList).toBeGreaterThan(0);
      length += inList;
    }
    expect(queue.length).toBe(length);
    expect(queue.withdrawn).toBe(withdrawn);
  }
  let running = 0;
  for (const owner of state.owners.values()) {
    let held = 0;
    let marked = 0;
    for (let one: Operation | null = owner.first; one !== null; one = one.heldAfter) {
      held++;
      if (one.cancelReason !== null) marked++;
      expect(one.state).toBe("running");
      expect(one.taking?.owner).toBe(owner);
      at(one, "running");
    }
    expect(owner.held).toBe(held);
    expect(owner.marked).toBe(marked);
    running += held;
  }
  expect(state.running).toBe(running);
  for (const one of state.due.page(0, state.due.size)) at(one, "scheduled");
  for (const one of state.dead.page(0, state.dead.size)) at(one, "failed");
  for (const slice of state.slices) for (const one of slice.records) at(one, one.state);
  for (const [dot, found] of places) expect(found, dot).toHaveLength(1);
  let entries = 0;
  for (const lane of state.lanesByName.values()) {
    for (const page of lane.pages.values()) {
      const present = page.entries.filter((entry) => entry !== undefined);
      expect(present).toHaveLength(page.used);
      entries += present.length;
      for (const entry of present) {
        expect(places.get(`${entry.lane.name} ${entry.counter}`), "indexed").toEqual([entry.state]);
        if (!isFinished(entry)) expect(entry.isGone).toBe(false);
      }
    }
  }
  const unread = [...state.queues.values()]
    .flatMap((queue) => queue.active.flatMap((list) => [...list.elements]))
    .reduce((sum, one) => sum + (one.isRun ? one.bodies.length - one.popped : 0), 0);
  const unreadWithdrawn = [...state.lanesByName.values()]
    .flatMap((lane) => [...lane.withdrawn])
    .filter(([, element]) => element === null).length;
  expect(entries).toBe(places.size - (unread - unreadWithdrawn));
}

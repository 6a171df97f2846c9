/**
 * Sixty-four Workers at the Store contract, under limits, with faults by chance: an owner dies and is rescued, Attempts
 * fail and wait, work is handed back. Counts what ran beyond a limit, and how much of it was used while work waited.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Claim, type FullElement, type GateTie, RedisStore } from "@millrace/core/internal";

/** How large a run is. */
export interface ChaosSizes {
  readonly operations: number;
  readonly seed: number;
}

/** What it found. */
export interface ChaosFound {
  readonly operations: number;
  readonly completed: number;
  readonly starts: number;
  readonly kills: number;
  /** Starts beyond the slots of a key, or of all. */
  readonly overruns: number;
  /** Windows that saw more starts than the rate allows. */
  readonly rateOverruns: number;
  /** Slots of the limit for all that were held while work waited, of those there were: 0…1. */
  readonly utilisation: number;
}

const segment = "bench";
const queue = "async";
const owners = 8;
const perOwner = 8;
const keys = 1000;
/** For all, per key, and in a time. */
export const limits = { all: 32, perKey: 2, everyMs: 2, burst: 20 } as const;
const workMs = 100;
const leaseMs = 400;
const tickMs = 2;
const timeoutMs = 120_000;
const body = Buffer.alloc(100, 1);
const value = Buffer.alloc(24, 2);
const retainMs = 86_400_000;

interface Owner {
  readonly name: string;
  request: number;
  readonly held: Map<number, Claim>;
  /** When it was killed; null while it lives. */
  diedAtMs: number | null;
}

/** Plays one run and recounts it. */
export async function measureChaos(url: string, { operations, seed }: ChaosSizes): Promise<ChaosFound> {
  const store = new RedisStore({ url, app: "bench" });
  try {
    await store.open();
    await store.openSegment(segment);
    return await new Chaos(store, operations, seed).run();
  } finally {
    await store.close();
  }
}

class Chaos {
  readonly #store: RedisStore;
  readonly #operations: number;
  readonly #chance: () => number;
  readonly #keyOf: number[] = [];
  readonly #running = new Map<number, number>();
  /** When each was let through, by the store's clock, in microseconds. */
  readonly #startedUs: number[] = [];
  #owners: Owner[] = [];
  #named = 0;
  #all = 0;
  #completed = 0;
  #kills = 0;
  #overruns = 0;
  #usedMs = 0;
  #waitedMs = 0;
  #failure: Error | null = null;

  constructor(store: RedisStore, operations: number, seed: number) {
    this.#store = store;
    this.#operations = operations;
    this.#chance = chance(seed);
  }

  async run(): Promise<ChaosFound> {
    await this.#enqueue();
    this.#owners = Array.from({ length: owners }, () => this.#newOwner());
    const giveUpMs = performance.now() + timeoutMs;
    let lastMs = performance.now();
    while (this.#completed < this.#operations) {
      if (performance.now() > giveUpMs) throw new Error(`${this.#completed} of ${this.#operations} in ${timeoutMs} ms`);
      if (this.#failure !== null) throw this.#failure;
      await this.#store.promote(segment, { max: 1000 });
      await this.#kill();
      for (const owner of this.#owners) if (owner.diedAtMs === null) await this.#claim(owner);
      await sleep(tickMs);
      const nowMs = performance.now();
      // Near the end what is left waits for retries and keys, not for a slot.
      if (this.#operations - this.#completed > 4 * limits.all && this.#startedUs.length > limits.all) {
        this.#usedMs += this.#all * (nowMs - lastMs);
        this.#waitedMs += nowMs - lastMs;
      }
      lastMs = nowMs;
    }
    return {
      operations: this.#operations,
      completed: this.#completed,
      starts: this.#startedUs.length,
      kills: this.#kills,
      overruns: this.#overruns,
      rateOverruns: rateOverruns(this.#startedUs),
      utilisation: this.#usedMs / (this.#waitedMs * limits.all),
    };
  }

  /** As a Producer does: by a tied lane, and what is delayed by the full path, whose counters begin behind all others. */
  async #enqueue(): Promise<void> {
    const [laneName, fullName] = ["load.01", "load.00"];
    const { lane } = await this.#store.laneOpen(segment, { laneName, queue, isTied: true });
    const full = await this.#store.laneOpen(segment, { laneName: fullName, queue: null });
    let [next, nextFull] = [1, this.#operations + 1];
    for (let left = this.#operations; left > 0; left -= 500) {
      const tied: GateTie[][] = [];
      const elements: FullElement[] = [];
      const first = next;
      for (let i = Math.min(500, left); i > 0; i--) {
        const key = Math.floor(keys * this.#chance() ** 2);
        const gates = [
          { name: "s#0:", slots: limits.all },
          { name: `s#1:key-${key}`, slots: limits.perKey },
          { name: "s@0:", everyMs: limits.everyMs, burst: limits.burst },
        ];
        const due = this.#chance() < 0.1 ? { in: Math.floor(500 * this.#chance()) } : null;
        const counter = due === null ? next++ : nextFull++;
        this.#keyOf[counter] = key;
        if (due === null) tied.push(gates);
        else elements.push({ counter, queue, priority: 0, due, body, ties: { key: null, line: null, gates } });
      }
      const bodies = tied.map(() => body);
      if (tied.length > 0) await this.#store.enqueue(segment, { lane, laneName, first, bodies, gates: tied });
      await this.#store.enqueueFull(segment, { lane: full.lane, laneName: fullName, elements });
    }
  }

  #newOwner(): Owner {
    return { name: `w${this.#named++}`, request: 1, held: new Map(), diedAtMs: null };
  }

  async #claim(owner: Owner): Promise<void> {
    const max = perOwner - owner.held.size;
    if (max === 0) return;
    const { claims } = await this.#store.claim(segment, {
      ...{ owner: owner.name, request: owner.request, queues: [queue], max },
    });
    if (claims.length > 0) owner.request++;
    for (const claim of claims) {
      this.#began(claim);
      owner.held.set(claim.counter, claim);
      void this.#work(owner, claim).catch((error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error(String(error));
      });
    }
  }

  #began({ counter, token }: Claim): void {
    this.#startedUs.push(token);
    const key = this.#keyOf[counter] ?? 0;
    const now = (this.#running.get(key) ?? 0) + 1;
    this.#running.set(key, now);
    this.#all++;
    if (now > limits.perKey || this.#all > limits.all) this.#overruns++;
  }

  /** Its slots come free no earlier than the store hears of it: so it is counted off before the store is told. */
  #ended(counter: number): void {
    const key = this.#keyOf[counter] ?? 0;
    this.#running.set(key, (this.#running.get(key) ?? 0) - 1);
    this.#all--;
  }

  async #work(owner: Owner, claim: Claim): Promise<void> {
    await sleep(workMs * (0.5 + this.#chance()));
    if (owner.diedAtMs !== null) return;
    owner.held.delete(claim.counter);
    this.#ended(claim.counter);
    const dice = this.#chance();
    const at = { owner: owner.name, retainMs };
    if (dice < 0.05) {
      const retryInMs = Math.floor(100 * this.#chance());
      await this.#store.fail(segment, { ...at, elements: [{ ...claim, retryInMs, value }] });
    } else if (dice < 0.08) {
      await this.#store.release(segment, { ...at, elements: [{ ...claim, delayMs: null }] });
    } else {
      const { answers } = await this.#store.complete(segment, { ...at, held: [claim], values: [value] });
      if (answers[0] === "ok") this.#completed++;
    }
  }

  /** Kills one now and then, as by kill -9; a Lease later another takes back what it held. */
  async #kill(): Promise<void> {
    const nowMs = performance.now();
    if (this.#chance() < 0.002 && this.#owners.every(({ diedAtMs }) => diedAtMs === null)) {
      const owner = this.#owners[Math.floor(this.#chance() * owners)];
      if (owner !== undefined) owner.diedAtMs = nowMs;
      this.#kills++;
    }
    for (const [at, owner] of this.#owners.entries()) {
      if (owner.diedAtMs === null || nowMs - owner.diedAtMs < leaseMs) continue;
      for (const counter of owner.held.keys()) this.#ended(counter);
      const { owners: seen } = await this.#store.counts(segment);
      const beat = seen.find(({ owner: name }) => name === owner.name)?.beat ?? 0;
      const rescue = { owner: owner.name, beat, max: 1000, recoveriesMax: 1000, retainMs, poison: value };
      await this.#store.rescue(segment, rescue);
      this.#owners[at] = this.#newOwner();
    }
  }
}

/** Starts beyond `burst` and one every so often, in any window; the store's clock is read in whole milliseconds. */
function rateOverruns(startedUs: readonly number[]): number {
  let takenMs = 0;
  let overruns = 0;
  for (const us of [...startedUs].sort((a, b) => a - b)) {
    const nowMs = us / 1000;
    if (Math.max(takenMs, nowMs) - (limits.burst - 1) * limits.everyMs > nowMs + 1) overruns++;
    takenMs = Math.max(takenMs, nowMs) + limits.everyMs;
  }
  return overruns;
}

/** Chance that repeats with its seed: xorshift, 0…1. */
function chance(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

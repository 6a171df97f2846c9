/**
 * Sequences of transitions from a seed. A sequence is a list of *intents*: what to try, and a seed for its details.
 *
 * An intent becomes a call only while it is played, from what the reference answered so far: so a sequence stays
 * sensible when intents are taken out of it, which is how a failure is made small. Everything a client could do is
 * tried, the wrong things on purpose: old tokens, foreign owners, gaps, repeats of earlier calls, any step of time.
 */
import {
  type Claim,
  type GateTie,
  type Held,
  isTiedLane,
  type KeyMode,
  type KeyTie,
  LISTED_STATES,
  type LiveNumber,
  type LocalDot,
  type Ties,
} from "@millrace/core/internal";
import type { Answer, Call, CallName, Request } from "./call.js";
import { Dice } from "./dice.js";

/** What to try: a transition, a step of time, or an earlier call once more. */
export type IntentName = CallName | "enqueue_tied" | "enqueue_gated" | "wait" | "again";

/** One intent. */
export interface Intent {
  readonly name: IntentName;
  readonly seed: number;
}

/** How often each is tried. */
const weights: Readonly<Record<IntentName, number>> = {
  wait: 14,
  again: 8,
  lane_open: 5,
  enqueue: 13,
  enqueue_full: 11,
  enqueue_tied: 4,
  enqueue_gated: 3,
  claim: 17,
  extend: 4,
  complete: 9,
  fail: 9,
  release: 7,
  cancel: 9,
  promote: 6,
  rescue: 7,
  requeue: 5,
  redrive: 3,
  prune: 5,
  progress: 4,
  find: 5,
  peek: 4,
  list: 5,
  holders: 3,
  announce: 4,
  erase: 4,
  explain: 3,
  survey: 2,
  counts: 3,
  queue_pause: 1,
  queue_resume: 3,
  limit_set: 1,
  limits: 1,
};

/** How often where ties are the subject: every third sequence. */
const tiedWeights: Readonly<Record<IntentName, number>> = {
  ...weights,
  wait: 8,
  again: 4,
  enqueue: 2,
  enqueue_full: 2,
  enqueue_tied: 18,
  enqueue_gated: 18,
  claim: 28,
  complete: 14,
  fail: 7,
  release: 7,
  rescue: 7,
  cancel: 14,
  find: 2,
  explain: 6,
  survey: 2,
  peek: 1,
  progress: 1,
  queue_pause: 2,
  limit_set: 7,
  limits: 3,
};

/** Longest sequence. */
export const intentsMax = 60;

/** When every sequence begins, in microseconds since 1970: in the middle of an id-memory window. */
export const startUs = Date.UTC(2026, 0, 1, 9) * 1000;

/** The sequence of a seed: two lanes to begin with, then anything. */
export function sequenceOf(seed: number): Intent[] {
  const dice = new Dice(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
  const length = dice.between(5, intentsMax - 5);
  const opening: IntentName[] = ["lane_open", "lane_open", "lane_open", "lane_open", "lane_open"];
  const rest = Array.from({ length }, () => dice.weighted(seed % 3 === 0 ? tiedWeights : weights));
  return [...opening, ...rest].map((name) => ({ name, seed: dice.word() }));
}

const queues = ["q0", "q1", "q2"] as const;
const owners = ["o0", "o1", "o2"] as const;
const priorities = [0, 0, -1, 5] as const;
const lanes: readonly { readonly laneName: string; readonly queue: string | null; readonly isTied?: true }[] = [
  { laneName: "a1.01", queue: "q0" },
  { laneName: "a1.00", queue: null },
  { laneName: "a1.03", queue: "q0", isTied: true },
  { laneName: "a1.02", queue: "q1" },
  { laneName: "b2.01", queue: "q0" },
  { laneName: "b2.02", queue: "q1" },
  { laneName: "b2.00", queue: null },
  { laneName: "b2.03", queue: "q1", isTied: true },
];
const fastLanes = lanes.filter(({ queue, isTied }) => queue !== null && isTied !== true);
const tiedLanes = lanes.filter(({ isTied }) => isTied === true);
const fullLanes = lanes.filter(({ queue }) => queue === null);

const secondMs = 1000;
const dayMs = 86_400_000;
const retentions = [secondMs, 5 * secondMs, 40_000, 3_600_000, 2 * dayMs] as const;
const delays = [0, 1, 500, 5 * secondMs, 60_000, dayMs] as const;
const steps = [0, 1, 1, 7, 499, 500, 1024, 5 * secondMs, 60_000, 3_600_000, dayMs, 2 * dayMs] as const;

/** Turns intents into calls, remembering what was answered. One per play. */
export class Player {
  atUs = startUs;
  readonly calls: Call[] = [];
  readonly #lanes = new Map<string, { lane: number; accepted: number }>();
  /** Every claim ever answered, with who got it; the latest last. */
  readonly #claims: { readonly owner: string; readonly claim: Claim }[] = [];
  readonly #requests = new Map<string, number>();
  readonly #beats = new Map<string, number>();
  /** Counters tried on the full path, by lane. */
  readonly #full = new Map<string, number>();
  /** Claims that no accepted outcome or rescue has ended yet, by address; an owner each. */
  readonly #running = new Map<string, { readonly owner: string; readonly claim: Claim }>();
  /** What was enqueued, the latest last. */
  readonly #sent: LocalDot[] = [];
  /** What was last seen to fail for good. */
  readonly #dead: LocalDot[] = [];

  /** The call an intent means now; null for one that only lets time pass, or has nothing to say. */
  next(intent: Intent): Call | null {
    const dice = new Dice(intent.seed);
    // Microseconds pass all the time; they show in tokens.
    this.atUs += dice.between(0, 3);
    if (intent.name === "wait") {
      this.atUs += 1000 * dice.pick(steps);
      if (dice.chance(4)) this.atUs = Math.max(startUs, this.atUs - 1000 * dice.pick(steps));
      return null;
    }
    const call = intent.name === "again" ? this.#again(dice) : { ...this.#request(intent.name, dice), atUs: this.atUs };
    if (call !== null) this.calls.push(call);
    return call;
  }

  /** Takes in what the reference answered. */
  learn(call: Call, answer: Answer): void {
    switch (call.name) {
      case "lane_open": {
        const { lane, accepted, answer: word } = answer as { lane: number; accepted: number; answer: string }; // its own
        if (word === "ok") this.#lanes.set(call.params.laneName, { lane, accepted });
        break;
      }
      case "enqueue": {
        const { accepted, answer: word } = answer as { accepted: number; answer: string }; // its own
        const known = this.#lanes.get(call.params.laneName);
        if (word !== "ok" || known === undefined) break;
        for (let counter = known.accepted + 1; counter <= accepted; counter++) {
          this.#sent.push({ laneName: call.params.laneName, counter });
        }
        known.accepted = accepted;
        break;
      }
      case "enqueue_full":
        for (const { counter } of call.params.elements) {
          this.#sent.push({ laneName: call.params.laneName, counter });
          this.#full.set(call.params.laneName, Math.max(counter, this.#full.get(call.params.laneName) ?? 0));
        }
        break;
      case "claim": {
        const { claims } = answer as { claims: readonly Claim[] }; // its own
        if (claims.length === 0) break;
        this.#requests.set(
          call.params.owner,
          Math.max(call.params.request, this.#requests.get(call.params.owner) ?? 0),
        );
        for (const claim of claims) {
          const one = { owner: call.params.owner, claim };
          this.#claims.push(one);
          this.#running.set(addressOf(claim), one);
        }
        if (!this.#beats.has(call.params.owner)) this.#beats.set(call.params.owner, 0);
        break;
      }
      case "complete":
        this.#ended(call.params.held, answer);
        break;
      case "fail":
        for (const one of call.params.elements) {
          const running = this.#running.get(addressOf(one));
          if (one.retryInMs === null && running !== undefined) this.#dead.push(dotOf(running.claim));
        }
        this.#ended(call.params.elements, answer);
        break;
      case "release":
        this.#ended(call.params.elements, answer);
        break;
      case "extend": {
        const { beat, answer: word } = answer as { beat: number; answer: string }; // its own
        if (word === "ok") this.#beats.set(call.params.owner, beat);
        else this.#beats.delete(call.params.owner);
        break;
      }
      case "counts": {
        const { owners: known } = answer as { owners: readonly { owner: string; beat: number }[] }; // its own
        for (const { owner, beat } of known) this.#beats.set(owner, beat);
        break;
      }
      case "rescue": {
        const { left, answer: word } = answer as { left: number; answer: string }; // its own
        if (word === "ok" && left === 0) {
          this.#beats.delete(call.params.owner);
          this.#requests.delete(call.params.owner);
        }
        if (word !== "ok") break;
        for (const [address, { owner, claim }] of this.#running) {
          if (owner !== call.params.owner) continue;
          this.#running.delete(address);
          if (call.params.recoveriesMax === 0) this.#dead.push(dotOf(claim));
        }
        break;
      }
      default:
        break;
    }
  }

  #ended(held: readonly Held[], answer: Answer): void {
    const { answers } = answer as { answers: readonly string[] }; // of an outcome
    for (const [i, one] of held.entries()) if (answers[i] === "ok") this.#running.delete(addressOf(one));
  }

  #again(dice: Dice): Call | null {
    if (this.calls.length === 0) return null;
    const back = dice.chance(60) ? 1 : dice.between(1, Math.min(15, this.calls.length));
    const earlier = this.calls[this.calls.length - back];
    return earlier === undefined ? null : { ...earlier, atUs: this.atUs };
  }

  #request(name: CallName | "enqueue_tied" | "enqueue_gated", dice: Dice): Request {
    switch (name) {
      case "lane_open": {
        const closed = lanes.filter(({ laneName }) => !this.#lanes.has(laneName));
        const lane = closed.length > 3 && dice.chance(85) ? dice.pick(closed.slice(0, 3)) : dice.pick(lanes);
        const queue = lane.queue !== null && dice.chance(4) ? "q2" : lane.queue;
        const isTied = dice.chance(4) ? lane.isTied === undefined && queue !== null : lane.isTied === true;
        return { name, params: { laneName: lane.laneName, queue, isTied } };
      }
      case "enqueue":
        return { name, params: this.#enqueue(dice, fastLanes) };
      case "enqueue_gated":
        return { name: "enqueue", params: this.#enqueue(dice, tiedLanes) };
      case "enqueue_full":
        return { name, params: this.#enqueueFull(dice, 35) };
      case "enqueue_tied":
        return { name: "enqueue_full", params: this.#enqueueFull(dice, 100) };
      case "claim": {
        const owner = dice.pick(owners);
        const last = this.#requests.get(owner) ?? 0;
        const request = dice.chance(85) ? last + 1 : Math.max(1, last - dice.pick([0, 0, 1]));
        const order = dice.chance(40) ? [...queues] : dice.some(queues, 1, 3);
        const max = dice.pick([1, 1, 2, 3, 5, 20]);
        const pace = dice.chance(6) ? { pace: { everyMs: dice.pick([333.3, 5000]), burst: dice.pick([1, 3]) } } : {};
        return { name, params: { owner, request, queues: order, max, ...pace } };
      }
      case "extend":
        return { name, params: { owner: dice.pick(owners) } };
      case "complete": {
        const { owner, held } = this.#held(dice);
        return {
          name,
          params: { owner, retainMs: dice.pick(retentions), held, values: held.map((one) => note(dice, one)) },
        };
      }
      case "fail": {
        const { owner, held } = this.#held(dice);
        const elements = held.map((one) => {
          return { ...one, retryInMs: dice.chance(45) ? null : dice.pick(delays), value: note(dice, one) };
        });
        return { name, params: { owner, retainMs: dice.pick(retentions), elements } };
      }
      case "release": {
        const { owner, held } = this.#held(dice);
        const elements = held.map((one) => ({ ...one, delayMs: dice.chance(60) ? null : dice.pick(delays) }));
        return { name, params: { owner, retainMs: dice.pick(retentions), elements } };
      }
      case "progress": {
        const { owner, held } = this.#held(dice);
        return { name, params: { owner, elements: held.map((one) => ({ ...one, value: note(dice, one) })) } };
      }
      case "cancel": {
        const value = text(`reason ${dice.between(1, 9)}`);
        return { name, params: { dots: this.#dots(dice, 3), retainMs: dice.pick(retentions), value } };
      }
      case "requeue": {
        const dots =
          this.#dead.length > 0 && dice.chance(80) ? dice.some(this.#dead.slice(-4), 1, 2) : this.#dots(dice, 4);
        return { name, params: { dots } };
      }
      case "redrive": {
        const dots =
          this.#dead.length > 0 && dice.chance(80) ? dice.some(this.#dead.slice(-4), 1, 2) : this.#dots(dice, 3);
        const elements = dots.map((dot) => ({
          ...dot,
          queue: dice.chance(50) ? dice.pick(queues) : null,
          body: dice.chance(50) ? Buffer.from(`edited ${dice.between(1, 9)}`) : null,
        }));
        return { name, params: { elements } };
      }
      case "promote":
        return { name, params: { max: dice.pick([1, 2, 100]) } };
      case "rescue": {
        const known = [...this.#beats.keys()];
        const owner = known.length > 0 && dice.chance(85) ? dice.pick(known) : dice.pick(owners);
        const beat = Math.max(0, (this.#beats.get(owner) ?? 0) + (dice.chance(8) ? dice.pick([-1, 1]) : 0));
        return {
          name,
          params: {
            owner,
            beat,
            max: dice.pick([1, 2, 100]),
            recoveriesMax: dice.pick([0, 1, 1, 3]),
            retainMs: dice.pick(retentions),
            poison: text("poison"),
          },
        };
      }
      case "prune":
        return { name, params: { max: dice.pick([1, 2, 100]) } };
      case "find":
        return { name, params: { dots: this.#dots(dice, 5), wait: dice.chance(30) } };
      case "peek": {
        const of = dice.chance(30) ? "dead" : { queue: dice.pick(queues) };
        return { name, params: { of, offset: dice.pick([0, 0, 1, 3]), limit: dice.pick([1, 2, 100]) } };
      }
      case "list": {
        const state = dice.pick(LISTED_STATES);
        const of = state === "ready" ? { state, queue: dice.pick(queues) } : { state };
        return { name, params: { of, cursor: null, max: 1000 } };
      }
      case "survey":
        return { name, params: { of: "lanes", cursor: null, max: 1000 } };
      case "holders":
        return { name, params: { keys: ["k1", "k2", "k3"] } };
      case "explain":
        return { name, params: { dot: dice.pick(this.#dots(dice, 1)), max: 100 } };
      case "announce":
        return { name, params: this.#announce(dice) };
      case "erase":
        return { name, params: { dots: this.#dots(dice, 5) } };
      case "counts":
        return { name, params: {} };
      case "queue_pause":
      case "queue_resume":
        return { name, params: { queue: dice.pick(queues) } };
      case "limit_set": {
        const limit = dice.pick(["g2", "g3", "h", "h:1", "g2", "g3", "h", "h:1", "=#", "=@", "=!"]);
        return { name, params: { name: limit, number: liveOf(dice, limit), max: dice.pick([1, 2, 1000]) } };
      }
      case "limits":
        return { name, params: { max: 1000 } };
    }
  }

  /** What is or was held; now and then by another token, or a full-path dot that was never enqueued. */
  #announce(dice: Dice) {
    const owner = dice.pick(owners);
    const known = this.#claims.slice(-12).map(({ claim }) => claim);
    const elements = dice.some(known, 0, 4).map((claim) => {
      const { laneName, counter, token } = claim;
      const isFull = laneName.endsWith(".00");
      return {
        laneName,
        counter: isFull && dice.chance(10) ? counter + dice.between(1, 4) : counter,
        token: token + (dice.chance(10) ? dice.between(-1, 9) : 0),
        again: isFull && dice.chance(60) ? claim : null,
      };
    });
    return { owner, elements };
  }

  #enqueue(dice: Dice, among: typeof lanes) {
    const open = among.filter(({ laneName }) => this.#lanes.has(laneName));
    const { laneName } = open.length === 0 || dice.chance(3) ? dice.pick(among) : dice.pick(open);
    const known = this.#lanes.get(laneName) ?? { lane: 1, accepted: 0 };
    const lane = dice.chance(2) ? known.lane + 1 : known.lane;
    const shift = dice.chance(80) ? 0 : dice.pick([-2, -1, -1, 1]);
    const first = Math.max(1, known.accepted + 1 + shift);
    const bodies = Array.from({ length: dice.pick([1, 1, 2, 3, 5]) }, (_, i) => bodyOf(laneName, first + i));
    if (!isTiedLane(lane)) return { lane, laneName, first, bodies };
    // As Steps do: mostly all have the same.
    const common = gatesOf(dice);
    const gates = bodies.map(() => (dice.chance(70) ? common : gatesOf(dice)));
    return { lane, laneName, first, bodies, gates };
  }

  #enqueueFull(dice: Dice, tiedPercent: number) {
    const open = fullLanes.filter(({ laneName }) => this.#lanes.has(laneName));
    const { laneName } = open.length === 0 || dice.chance(3) ? dice.pick(fullLanes) : dice.pick(open);
    const known = this.#lanes.get(laneName) ?? { lane: 1, accepted: 0 };
    const lane = dice.chance(2) ? known.lane + 1 : known.lane;
    const elements = Array.from({ length: dice.pick([1, 1, 2, 3]) }, () => {
      const counter = dice.chance(tiedPercent === 100 ? 98 : 75)
        ? (this.#full.get(laneName) ?? 0) + dice.between(1, 3)
        : dice.between(1, 8);
      const due = dice.chance(tiedPercent === 100 ? 85 : 50)
        ? null
        : dice.chance(60)
          ? { in: dice.pick(delays) }
          : { at: this.#near(dice) };
      const body = dice.chance(92) ? bodyOf(laneName, counter) : text("another body");
      const ties = dice.chance(tiedPercent) ? tiesOf(dice) : null;
      return { counter, queue: dice.pick(queues), priority: dice.pick(priorities), due, body, ties };
    });
    return { lane, laneName, elements };
  }

  /** A due time around now. */
  #near(dice: Dice): number {
    return Math.floor(this.atUs / 1000) + dice.pick([-5000, -1, 0, 1, 500, 5000, dayMs]);
  }

  /** Up to three claims to report on, now and then one twice: mostly an owner's own latest, sometimes anything. */
  #held(dice: Dice): { owner: string; held: Held[] } {
    const running = [...this.#running.values()];
    const likely = running.length > 0 && dice.chance(75) ? running : this.#claims.slice(-10);
    const owner = likely.length === 0 || dice.chance(4) ? dice.pick(owners) : dice.pick(likely).owner;
    const own = likely.filter((one) => one.owner === owner);
    const source = own.length === 0 || dice.chance(4) ? this.#claims : own;
    const held = dice.some(source, 1, 3).map(({ claim }): Held => {
      const token = dice.chance(3) ? claim.token + 1 : claim.token;
      return { lane: claim.lane, counter: claim.counter, token };
    });
    const [first = { lane: 1, counter: 1, token: 1 }] = held;
    if (held.length === 0 || dice.chance(3)) held.push(first);
    return { owner, held };
  }

  /** Dots to ask for: mostly of Operations that were claimed or enqueued, sometimes of nothing. */
  #dots(dice: Dice, max: number): LocalDot[] {
    return Array.from({ length: dice.between(1, max) }, () => {
      if (this.#claims.length > 0 && dice.chance(45)) return dotOf(dice.pick(this.#claims.slice(-12)).claim);
      if (this.#sent.length > 0 && dice.chance(75)) return dice.pick(this.#sent.slice(-12));
      const open = lanes.filter((lane) => this.#lanes.has(lane.laneName));
      const { laneName, queue } = dice.pick(open.length > 0 && dice.chance(92) ? open : lanes);
      const highest = queue === null ? (this.#full.get(laneName) ?? 3) : (this.#lanes.get(laneName)?.accepted ?? 3);
      return { laneName, counter: dice.between(Math.max(1, highest - 6), highest + 1) };
    });
  }
}

function addressOf({ lane, counter }: { readonly lane: number; readonly counter: number }): string {
  return `${lane} ${counter}`;
}

function dotOf({ laneName, counter }: Claim): LocalDot {
  return { laneName, counter };
}

/** The body an Operation is always enqueued with; some of them look like something else. */
function bodyOf(laneName: string, counter: number): Uint8Array {
  if (counter % 7 === 0) return Uint8Array.from([0, 0, 1, 0, 0, 0, 0, counter]); // as long as an address
  if (counter % 5 === 0) return Uint8Array.from({ length: 40 }, (_, i) => (i * 37 + counter) & 0xff);
  return text(`${laneName}#${counter}`);
}

const keyModes: readonly KeyMode[] = [
  "match",
  "return",
  "reject",
  "replace",
  "replace",
  "postpone",
  "debounce",
  "known",
];

/** Few names, so that they meet. */
function tiesOf(dice: Dice): Ties {
  const mode = dice.pick(keyModes);
  const windowMs = dice.chance(50) ? null : dice.pick(delays.slice(1));
  const key: KeyTie | null = dice.chance(45)
    ? {
        name: `k${dice.between(1, 2)}`,
        mode,
        windowMs,
        isTimed: windowMs !== null && dice.chance(30),
        digest: mode === "debounce" ? double(dice.pick(delays)) : text(`digest-${dice.between(1, 2)}`),
        replaced:
          mode === "replace" || mode === "postpone" || mode === "debounce"
            ? { retainMs: dice.pick(retentions), value: text("replaced") }
            : null,
      }
    : null;
  const line = dice.chance(40) ? `l${dice.between(1, 2)}` : null;
  const gates = dice.chance(60) ? gatesOf(dice).map((gate) => fullOf(dice, gate)) : [];
  const lapse = dice.chance(30)
    ? {
        startInMs: dice.chance(60) ? dice.pick(delays) : null,
        endInMs: dice.chance(60) ? dice.pick(delays) : null,
        retainMs: dice.pick(retentions),
        value: text(`lapsed ${dice.between(1, 9)}`),
      }
    : null;
  const flow = dice.chance(40) ? { name: `f${dice.between(1, 3)}`, weight: dice.pick([1, 3, 0.5]) } : null;
  return { key, line, gates, lapse, flow };
}

function gatesOf(dice: Dice): GateTie[] {
  return dice.some(["g1", "g2", "g3", "h:1", "h:2"], 1, 2).map((name) => gateOf(dice, name));
}

/** Now and then a full one does more than keep waiting. */
function fullOf(dice: Dice, gate: GateTie): GateTie {
  if (!("slots" in gate) || dice.chance(50)) return gate;
  const mode = dice.pick(["skip", "cancel_newest", "cancel_oldest", "cancel_oldest"] as const);
  return { ...gate, full: { mode, value: text(`${mode} ${dice.between(1, 9)}`) } };
}

function double(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return new Uint8Array(bytes);
}

function gateOf(dice: Dice, name: string): GateTie {
  if (name === "g3") return { name, everyMs: 333.3, burst: 2 };
  // Now and then a limit is another one, as after a deployment.
  return { name, slots: name === "g1" ? 1 : dice.pick([2, 2, 2, 1, 4]) };
}

/** Also back, to none at all, to any number, and of the other kind. */
function liveOf(dice: Dice, name: string): LiveNumber | null {
  if (dice.chance(30)) return null;
  const isPace = ["g3", "=@", "=!"].includes(name) !== dice.chance(4);
  return isPace
    ? { everyMs: dice.pick([0, 1, 333.3, 5000, 60_000]), burst: dice.pick([1, 1, 3]) }
    : { slots: dice.pick([0, 1, 2, 3, 5]) };
}

function note(dice: Dice, { counter, token }: Held): Uint8Array {
  return dice.chance(5) ? new Uint8Array(0) : text(`${counter}@${token % 1000}:${dice.between(0, 99)}`);
}

function text(from: string): Uint8Array {
  return new Uint8Array(Buffer.from(from, "latin1"));
}

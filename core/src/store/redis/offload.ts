/**
 * Large values beside the work (elsewhere: claim check): a RedisStore that moves what is larger than 64 KiB out of lists
 * and records into keys of its own, so that claims, pages and scans of everything else do not carry it.
 *
 * A stub of 38 bytes stays behind: 0xc1 (no payload begins so), 4, the length, the SHA-256. The value is written *before*
 * the call that brings its stub, so an Operation that is there has its value, on a replica and after a crash too. Whoever
 * claims an Operation, or reads a result, gets the value; lists and pages leave it where it is.
 * An index says when to look at each value again: one whose Operation is over, or never came, is deleted then. An input
 * goes as soon as its Operation has completed. Chosen by app/open-store.ts.
 */
import { createHash } from "node:crypto";
import { systemClock } from "../../base/clock.js";
import { isMillraceError } from "../../base/errors.js";
import { tryPlaceId } from "../../engine/dot.js";
import { decodeEnvelope } from "../../engine/envelope.js";
import type { Held, LocalDot } from "../../engine/lease.js";
import { decodeOutcome } from "../../engine/outcome.js";
import type { Store, StoreListener } from "../../engine/store.js";
import type { Claim, FindAnswer, Settled } from "../../engine/transitions.js";
import { ByteGate } from "./byte-gate.js";
import { unknown } from "./failure.js";
import { rootKey, valueKey, valuesKey } from "./keys.js";
import { RedisStore, type RedisStoreOptions } from "./redis-store.js";

/** Larger ones move. */
const INLINE_MAX = 64 * 1024;
const MARK = 0xc1;
const AWAY = 4;
const HASH_BYTES = 32;
const STUB_BYTES = 2 + 4 + HASH_BYTES;
/** A value without an Operation is left alone for so long: whoever wrote it may still be about to enqueue. */
const STAGED_MS = 24 * 60 * 60 * 1000;
/** How often a value whose Operation is there is looked at. */
const LOOK_MS = 60 * 60 * 1000;
/** How often a Segment is asked what is to be looked at, and how much of it at once. */
const SWEEP_MS = 10_000;
const SWEEP_MAX = 100;
const SWEEP_ROUNDS_MAX = 50;
/** Bytes of values on their way at once, each way: none waits for so many others that its call runs out of time. */
const UNDER_WAY_MAX = 8 * 1024 * 1024;

/** A value and the end of its key. */
interface Apart {
  readonly name: string;
  readonly value: Uint8Array;
}

/** A RedisStore that keeps large values apart. */
export class OffloadingStore extends RedisStore {
  readonly #app: string;
  readonly #now: () => number;
  readonly #fetches = new ByteGate(UNDER_WAY_MAX);
  readonly #writes = new ByteGate(UNDER_WAY_MAX);
  /** Writes under way by lane: what comes behind them waits, for a lane has an order. */
  readonly #writing = new Map<string, Promise<unknown>>();
  /** Raised whenever a connection came back: from then on another server may answer. */
  #changes = 0;
  /** Inputs of what runs here, by place and token: deleted when it has completed. */
  readonly #inputs = new Map<string, string>();
  /** When each Segment was swept last. */
  readonly #swept = new Map<string, number>();

  constructor(options: RedisStoreOptions) {
    super(options);
    this.#app = options.app;
    const clock = options.clock ?? systemClock;
    this.#now = () => clock.nowMs();
    const ignored = () => undefined;
    const restored = () => void this.#changes++;
    super.listen({ bell: ignored, due: ignored, settled: ignored, progressed: ignored, marked: ignored, restored });
  }

  // ── On the way in ────────────────────────────────────────────────────────────────────────────────────────────────

  override enqueue: Store["enqueue"] = (segment, params) => {
    const { laneName, first } = params;
    if (!this.#isBehind(segment, laneName) && !params.bodies.some(isLarge)) return super.enqueue(segment, params);
    const apart: Apart[] = [];
    const bodies = params.bodies.map((body, i) => inputApart(body, { laneName, counter: first + i }, apart));
    // Not quiet: the claim that was to follow at once has come before it.
    const call = () => super.enqueue(segment, { ...params, bodies, isQuiet: false });
    return this.#inOrder(segment, laneName, apart, call);
  };

  override enqueueFull: Store["enqueueFull"] = async (segment, params) => {
    const { laneName } = params;
    if (!this.#isBehind(segment, laneName) && !params.elements.some(({ body }) => isLarge(body)))
      return await super.enqueueFull(segment, params);
    const apart: Apart[] = [];
    const elements = params.elements.map((element) => {
      return { ...element, body: inputApart(element.body, { laneName, counter: element.counter }, apart) };
    });
    const call = () => super.enqueueFull(segment, { ...params, elements });
    const answer = await this.#inOrder(segment, laneName, apart, call);
    // What another one stands for will never be asked for.
    const left = answer.answers.flatMap((word, i) => {
      const [given, sent] = [params.elements[i], elements[i]];
      if (word === "ok" || word === "duplicate" || given === undefined || sent === undefined) return [];
      const dot = { laneName, counter: given.counter };
      return sent.body === given.body ? [] : [nameOf("i", dot, sent.body)];
    });
    if (left.length > 0) await this.#drop(segment, left).catch(() => undefined); // a sweep finds them
    return answer;
  };

  override announce: Store["announce"] = async (segment, params) => {
    const apart: Apart[] = [];
    const elements = params.elements.map((element) => {
      const { again } = element;
      return again === null
        ? element
        : { ...element, again: { ...again, body: inputApart(again.body, element, apart) } };
    });
    return await this.#bring(segment, apart, () => super.announce(segment, { ...params, elements }));
  };

  override redrive: Store["redrive"] = async (segment, params) => {
    const apart: Apart[] = [];
    const elements = params.elements.map((element) => {
      return element.body === null ? element : { ...element, body: inputApart(element.body, element, apart) };
    });
    return await this.#bring(segment, apart, () => super.redrive(segment, { ...params, elements }));
  };

  override complete: Store["complete"] = async (segment, params) => {
    if (this.#inputs.size === 0 && !params.values.some(isLarge)) return await super.complete(segment, params);
    const changes = this.#changes;
    const apart: Apart[] = [];
    const values = await Promise.all(
      params.values.map(async (value, i) => {
        const held = params.held[i];
        const laneName = held?.laneName;
        if (held === undefined || laneName === undefined || !isLarge(value)) return value;
        const own: Apart[] = [];
        const stub = setApart("o", { laneName, counter: held.counter }, value, outcomeAt(value), own);
        if (!(await this.#hasRoomFor(segment, own))) return value;
        apart.push(...own);
        return stub;
      }),
    );
    const answer = await this.#kept(segment, apart, changes, () => super.complete(segment, { ...params, values }));
    const over: string[] = [];
    for (const [i, { lane, counter, token }] of params.held.entries()) {
      const place = `${segment} ${lane} ${counter} ${token}`;
      const input = this.#inputs.get(place);
      this.#inputs.delete(place);
      // Another server may not know yet that it has completed: then a sweep deletes it.
      const isOver = answer.answers[i] === "ok" && changes === this.#changes;
      if (input !== undefined && isOver) over.push(input);
    }
    // Nobody waits for it; what is left a sweep finds.
    if (over.length > 0) void this.#drop(segment, over).catch(() => undefined);
    return answer;
  };

  override fail: Store["fail"] = (segment, params) => {
    if (this.#inputs.size > 0) this.#forget(segment, params.elements);
    return super.fail(segment, params);
  };

  override release: Store["release"] = (segment, params) => {
    if (this.#inputs.size > 0) this.#forget(segment, params.elements);
    return super.release(segment, params);
  };

  /** It will be claimed again, or is a dead letter: its input stays. */
  #forget(segment: string, elements: readonly Held[]): void {
    for (const { lane, counter, token } of elements) this.#inputs.delete(`${segment} ${lane} ${counter} ${token}`);
  }

  // ── On the way out ───────────────────────────────────────────────────────────────────────────────────────────────

  override claim: Store["claim"] = async (segment, params) => {
    const answer = await super.claim(segment, params);
    if (!answer.claims.some(hasStub)) return answer;
    try {
      return { ...answer, claims: await Promise.all(answer.claims.map((claim) => this.#claimed(segment, claim))) };
    } catch {
      // Not as it was refused: that would say that nothing was claimed. Asked again, the claim gives the same.
      throw unknown({ call: "claim", id: segment });
    }
  };

  /** Results, and the inputs of dead letters unless somebody waits for the outcome: these are read to be given again. */
  override find: Store["find"] = async (segment, params) => {
    const answer = await super.find(segment, params);
    const isAway = (record: FindAnswer["records"][number]) =>
      typeof record !== "string" &&
      (record.state === "completed"
        ? record.value !== null && mayBeStub(record.value)
        : record.state === "failed" && !params.wait && record.body !== null && mayBeStub(record.body));
    if (!answer.records.some(isAway)) return answer;
    const records = answer.records.map(async (record, i) => {
      const dot = params.dots[i];
      if (typeof record === "string" || dot === undefined || !isAway(record)) return record;
      const { state, body, value } = record;
      if (state === "completed" && value !== null)
        return { ...record, value: await this.#get(segment, "o", dot, value, outcomeAt) };
      return body === null ? record : { ...record, body: await this.#get(segment, "i", dot, body, inputAt) };
    });
    return { records: await Promise.all(records) };
  };

  override listen: Store["listen"] = (listener: StoreListener) =>
    super.listen({
      bell: (...told) => listener.bell(...told),
      due: (...told) => listener.due(...told),
      settled: (outcome) => {
        if (outcome.state !== "completed" || !mayBeStub(outcome.value)) return listener.settled(outcome);
        // What is lost here is read again by whoever waits.
        this.#settled(outcome).then(
          (whole) => listener.settled(whole),
          () => undefined,
        );
      },
      progressed: (...told) => listener.progressed(...told),
      marked: (...told) => listener.marked(...told),
      restored: (...told) => listener.restored(...told),
    });

  async #claimed(segment: string, claim: Claim): Promise<Claim> {
    const body = await this.#get(segment, "i", claim, claim.body, inputAt);
    if (body === claim.body) return claim;
    const { lane, counter, token } = claim;
    this.#inputs.set(`${segment} ${lane} ${counter} ${token}`, nameOf("i", claim, claim.body));
    return { ...claim, body };
  }

  async #settled(outcome: Settled): Promise<Settled> {
    const placed = tryPlaceId(outcome.id);
    if (placed === null) return outcome;
    return { ...outcome, value: await this.#get(placed.segment, "o", placed.dot, outcome.value, outcomeAt) };
  }

  // ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether calls of a lane wait for values to be written. */
  #isBehind(segment: string, laneName: string): boolean {
    return this.#writing.size > 0 && this.#writing.has(`${segment} ${laneName}`);
  }

  /** Writes values, then calls; what comes for the same lane meanwhile follows behind. */
  #inOrder<Answer>(
    segment: string,
    laneName: string,
    apart: readonly Apart[],
    call: () => Promise<Answer>,
  ): Promise<Answer> {
    const lane = `${segment} ${laneName}`;
    const written = (this.#writing.get(lane) ?? Promise.resolve()).then(async () => {
      const changes = this.#changes;
      await this.#writeAll(segment, apart);
      return changes;
    });
    const settled = written.then(
      () => undefined,
      () => undefined,
    );
    this.#writing.set(lane, settled);
    return written
      .then((changes) => this.#kept(segment, apart, changes, call))
      .finally(() => {
        if (this.#writing.get(lane) === settled) this.#writing.delete(lane);
      });
  }

  /** Writes values, then calls. */
  async #bring<Answer>(segment: string, apart: readonly Apart[], call: () => Promise<Answer>): Promise<Answer> {
    if (apart.length === 0) return await call();
    const changes = this.#changes;
    await this.#writeAll(segment, apart);
    return await this.#kept(segment, apart, changes, call);
  }

  /**
   * Makes the call that brings the stubs of values written since `changes` was read. Another server may have answered it
   * than took the values, and may lack them: so they are written again before anybody hears of it.
   */
  async #kept<Answer>(
    segment: string,
    apart: readonly Apart[],
    changes: number,
    call: () => Promise<Answer>,
  ): Promise<Answer> {
    const answer = await call();
    if (apart.length === 0) return answer;
    try {
      for (let seen = changes; seen !== this.#changes; ) {
        seen = this.#changes;
        await this.#writeAll(segment, apart);
      }
    } catch {
      throw unknown({ call: "enqueue", id: segment }); // it was made: only the same call, sent again, helps
    }
    return answer;
  }

  /** A server without memory takes outcomes all the same, so that it empties: then the result stays in its record. */
  async #hasRoomFor(segment: string, apart: readonly Apart[]): Promise<boolean> {
    try {
      await this.#writeAll(segment, apart);
      return true;
    } catch (error) {
      if (isMillraceError(error, "MR_STORE_FULL")) return false;
      throw error;
    }
  }

  async #writeAll(segment: string, apart: readonly Apart[]): Promise<void> {
    const root = rootKey(this.#app, segment);
    const due = String(this.#now() + STAGED_MS);
    await Promise.all(
      apart.map(({ name, value }) =>
        this.#writes.run(value.length, () =>
          // The index first: a value that is there is in it, whenever we die.
          Promise.all([
            this.command("enqueue", "ZADD", valuesKey(root), due, name),
            this.command("enqueue", "SET", valueKey(root, name), asBytes(value)),
          ]),
        ),
      ),
    );
  }

  /** The record with its value in place of the stub; as it is if it has none, or its value is gone or damaged. */
  async #get(
    segment: string,
    kind: "i" | "o",
    dot: LocalDot,
    record: Uint8Array,
    payloadAt: (record: Uint8Array) => number,
  ): Promise<Uint8Array> {
    const at = record.length - STUB_BYTES;
    if (!mayBeStub(record) || payloadAt(record) !== at) return record;
    const name = nameOf(kind, dot, record);
    const key = valueKey(rootKey(this.#app, segment), name);
    const bytes = asBytes(record).readUInt32BE(at + 2);
    const fetched = this.#fetches.run(bytes, () => this.command("claim", "GET", key));
    const value = await fetched.catch((error: unknown) => {
      if (isMillraceError(error, "MR_STORE_CORRUPT")) return null; // something else lies there
      throw error;
    });
    if (
      !Buffer.isBuffer(value) ||
      !createHash("sha256")
        .update(value)
        .digest()
        .equals(record.subarray(at + 6))
    ) {
      return record;
    }
    return Buffer.concat([record.subarray(0, at), value]);
  }

  async #drop(segment: string, names: readonly string[]): Promise<void> {
    const root = rootKey(this.#app, segment);
    const [first = "", ...others] = names.map((name) => valueKey(root, name));
    await this.command("prune", "UNLINK", first, ...others);
    await this.command("prune", "ZREM", valuesKey(root), ...names);
  }

  // ── What is left over ────────────────────────────────────────────────────────────────────────────────────────────

  override prune: Store["prune"] = async (segment, params) => {
    const answer = await super.prune(segment, params);
    const nowMs = this.#now();
    if (nowMs - (this.#swept.get(segment) ?? 0) >= SWEEP_MS) {
      this.#swept.set(segment, nowMs);
      for (let round = 0; round < SWEEP_ROUNDS_MAX && (await this.sweep(segment)) === SWEEP_MAX; round++);
    }
    return answer;
  };

  /** Looks at the values of a Segment that are due, deletes what belongs to nothing any more; answers how many it saw. */
  async sweep(segment: string): Promise<number> {
    const index = valuesKey(rootKey(this.#app, segment));
    const nowMs = this.#now();
    const reply = await this.command(
      "prune",
      "ZRANGEBYSCORE",
      index,
      "-inf",
      String(nowMs),
      "LIMIT",
      "0",
      String(SWEEP_MAX),
    );
    const names = Array.isArray(reply) ? reply.map(String) : [];
    if (names.length === 0) return 0;
    const { records } = await super.find(segment, { dots: names.map(dotOf), wait: false });
    const [gone, kept]: [string[], string[]] = [[], []];
    for (const [i, name] of names.entries()) {
      const record = records[i];
      (record === undefined || typeof record === "string" || isLeft(name, record) ? gone : kept).push(name);
    }
    if (gone.length > 0) await this.#drop(segment, gone);
    const next = String(nowMs + LOOK_MS);
    if (kept.length > 0) await this.command("prune", "ZADD", index, ...kept.flatMap((name) => [next, name]));
    return names.length;
  }
}

/** Makes the record with a stub for its value, which joins those apart. */
function setApart(kind: "i" | "o", dot: LocalDot, record: Uint8Array, at: number, apart: Apart[]): Uint8Array {
  const value = record.subarray(at);
  const stub = Buffer.alloc(at + STUB_BYTES);
  stub.set(record.subarray(0, at), 0);
  stub[at] = MARK;
  stub[at + 1] = AWAY;
  stub.writeUInt32BE(value.length, at + 2);
  stub.set(createHash("sha256").update(value).digest(), at + 6);
  apart.push({ name: nameOf(kind, dot, stub), value });
  return stub;
}

/** The body itself if it is small. */
function inputApart(body: Uint8Array, dot: LocalDot, apart: Apart[]): Uint8Array {
  const at = isLarge(body) ? inputAt(body) : -1;
  return at < 0 ? body : setApart("i", dot, body, at, apart);
}

/** Whether an Operation that is there has no use for a value any more. */
function isLeft(name: string, record: { state: string; body: Uint8Array | null; value: Uint8Array | null }): boolean {
  const { state, body, value } = record;
  if (state === "completed") return name.startsWith("i") || value === null || nameOf("o", dotOf(name), value) !== name;
  if (state === "cancelled" || state === "skipped") return true;
  if (name.startsWith("o")) return state === "failed"; // else its outcome may be on its way
  return body !== null && nameOf("i", dotOf(name), body) !== name; // its input was replaced
}

/** Kind, dot and the beginning of the hash: another value of the same Operation has another name. */
function nameOf(kind: "i" | "o", { laneName, counter }: LocalDot, stub: Uint8Array): string {
  const at = Math.max(0, stub.length - HASH_BYTES);
  return `${kind}.${laneName}.${counter}.${Buffer.from(stub.subarray(at, at + 8)).toString("hex")}`;
}

function dotOf(name: string): LocalDot {
  const [, incarnation = "", digits = "", counter = ""] = name.split(".");
  return { laneName: `${incarnation}.${digits}`, counter: Number(counter) };
}

function isLarge(record: Uint8Array): boolean {
  return record.length > INLINE_MAX;
}

function mayBeStub(record: Uint8Array): boolean {
  const at = record.length - STUB_BYTES;
  return record[at] === MARK && record[at + 1] === AWAY;
}

function hasStub({ body }: Claim): boolean {
  return mayBeStub(body);
}

/** Where the payload begins; -1 in bytes that no App has written. */
function inputAt(body: Uint8Array): number {
  try {
    return decodeEnvelope(body).payloadAt;
  } catch {
    return -1;
  }
}

function outcomeAt(value: Uint8Array): number {
  return value.length - decodeOutcome(value).value.length;
}

function asBytes(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

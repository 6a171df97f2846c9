/**
 * The Store on Redis or Valkey: each transition is one call of one Lua function, each call one frame on one socket.
 *
 * Nothing is repeated here: a call that was cut off is MR_INDETERMINATE at once, and whoever sent it re-sends it when
 * `ready()` resolves. One connection carries calls in order, a second one hears messages; a note the store publishes
 * to itself shows that both still pass them on. Chosen by app.ts; may not be imported by queue or foreman.
 */
import type { ConnectionOptions } from "node:tls";
import { type Clock, systemClock, type Timer } from "../../base/clock.js";
import { createError } from "../../base/errors.js";
import { type Logger, silentLogger } from "../../base/log.js";
import { type Random, systemRandom } from "../../base/random.js";
import type { Durability, Store, StoreListener } from "../../engine/store.js";
import type {
  CancelParams,
  CancelsAnswer,
  ClaimAnswer,
  ClaimParams,
  CompleteParams,
  CountsAnswer,
  EnqueueAnswer,
  EnqueueFullAnswer,
  EnqueueFullParams,
  EnqueueParams,
  ExtendAnswer,
  ExtendParams,
  FailParams,
  FindAnswer,
  FindParams,
  LaneOpenAnswer,
  LaneOpenParams,
  NodeBeatAnswer,
  NodeBeatParams,
  NodeEntry,
  NodeLeaveAnswer,
  NodeLeaveParams,
  OutcomesAnswer,
  PeekAnswer,
  PeekParams,
  ProgressParams,
  PromoteAnswer,
  PromoteParams,
  PruneAnswer,
  PruneParams,
  QueuePauseAnswer,
  QueuePauseParams,
  ReleaseParams,
  RequeueAnswer,
  RequeueParams,
  RescueAnswer,
  RescueParams,
} from "../../engine/transitions.js";
import * as answers from "./answers.js";
import * as calls from "./calls.js";
import { isErrorReply, Link, orThrow, type Reply, type Session } from "./connection.js";
import { firstWord, isWithoutRoot, replyFailure, schemaFailure, unsent } from "./failure.js";
import {
  attendedChannel,
  bellChannel,
  nodesKey,
  pausedKey,
  replyChannel,
  rootKey,
  segmentsKey,
  siteKey,
} from "./keys.js";
import { type LuaFunctionName, SCHEMA } from "./library.gen.js";
import { Library, type Scripting } from "./library.js";
import { deliverBell, deliverReplies, helpMessage } from "./messages.js";
import { type DurabilityFound, preflight } from "./preflight.js";
import { parseRedisUrl, type RedisTarget } from "./url.js";

/** What a RedisStore is made of. */
export interface RedisStoreOptions {
  /** See url.ts for the forms. */
  readonly url: string;
  readonly app: string;
  /** The level wanted by name; a store that gives less refuses to open. */
  readonly durability?: Durability;
  /** Certificates and the like, beside a `rediss:` URL. */
  readonly tls?: ConnectionOptions;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** After this long without an answer a call is MR_INDETERMINATE. Milliseconds. */
  readonly callTimeoutMs?: number;
  /** How long `open` tries. Milliseconds. */
  readonly openTimeoutMs?: number;
  /** How functions are called; `auto` falls back to scripts where FUNCTION is refused. */
  readonly scripting?: Scripting;
  /** Use the test build, whose time is a key of each Segment (keys.ts, `clock`). */
  readonly test?: boolean;
}

const CALL_TIMEOUT_MS = 10_000;
const OPEN_TIMEOUT_MS = 10_000;
const OPEN_POLL_MS = 50;
/** How often the store hears itself; two silent periods and the listening connection is built anew. */
const ECHO_PERIOD_MS = 5_000;
const INSTANCE_BITS = 64;
/** Six characters: short, for they stand in ids. */
const SITE_BITS = 30;
const ECHO = Buffer.from([0xff, 0xff]);

/** The Store of one App on one Redis. */
export class RedisStore implements Store {
  readonly #target: RedisTarget;
  readonly #app: string;
  readonly #options: RedisStoreOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #library: Library;
  readonly #calls: Link;
  readonly #messages: Link;
  readonly #listeners = new Set<StoreListener>();
  readonly #bellChannel: string;
  readonly #replyChannel: string;
  readonly #instance: string;
  /** Segments opened by this store. */
  readonly #ownSegments = new Set<string>();
  /** Queues attended in them. */
  #attended: readonly string[] = [];
  /** Root keys by Segment: spelt once. */
  readonly #roots = new Map<string, string>();
  #durability: DurabilityFound;
  #opening: Promise<void> | null = null;
  #isClosed = false;
  #isPreflown = false;
  #echo: Timer | null = null;
  /** Echoes sent since the last one that came back. */
  #echoesMissed = 0;
  /** Our functions being loaded again, if they are. */
  #reloading: Promise<void> | null = null;

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#target = parseRedisUrl(options.url);
    this.#app = options.app;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    const random = options.random ?? systemRandom;
    this.#instance = random.text(INSTANCE_BITS);
    this.#bellChannel = bellChannel(this.#app);
    this.#replyChannel = replyChannel(this.#app, this.#instance);
    this.#durability = { level: options.durability ?? "memory", isChecked: false };
    this.#library = new Library(this.#target, options.test === true ? "test" : "work", options.scripting ?? "auto");
    const shared = {
      target: this.#target,
      tls: options.tls ?? null,
      clock: this.#clock,
      random,
      logger: this.#logger,
      callTimeoutMs: options.callTimeoutMs ?? CALL_TIMEOUT_MS,
    };
    this.#calls = new Link({
      ...shared,
      name: "millrace-calls",
      greet: (session) => this.#greetCalls(session),
      up: (isFirst) => this.#restored(isFirst),
      message: () => undefined,
    });
    this.#messages = new Link({
      ...shared,
      name: "millrace-messages",
      greet: (session) => session.subscribe([this.#bellChannel, this.#replyChannel]),
      up: (isFirst) => {
        this.#echoesMissed = 0;
        void this.#messages.tune(this.#attendedChannels(), []);
        this.#restored(isFirst);
      },
      message: (channel, payload) => this.#hear(channel, payload),
    });
  }

  get url(): string {
    return this.#target.shown;
  }

  get durability(): DurabilityFound {
    return this.#durability;
  }

  // ── Life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    this.#calls.open();
    this.#messages.open();
    const deadline = this.#clock.monotonicMs() + (this.#options.openTimeoutMs ?? OPEN_TIMEOUT_MS);
    while (!this.#calls.isUp || !this.#messages.isUp) {
      const failed = [this.#calls, this.#messages].find((link) => link.fatal !== null);
      const isLate = this.#clock.monotonicMs() >= deadline;
      if (failed !== undefined || isLate || this.#isClosed) {
        const { reason } = this.#calls.isUp ? this.#messages : this.#calls;
        await this.close();
        throw failed?.fatal ?? unsent(this.#target, reason);
      }
      await new Promise<void>((resolve) => {
        this.#clock.setTimer(OPEN_POLL_MS, resolve);
      });
    }
    this.#warnOfMemory();
    this.#sendEcho();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#echo?.cancel();
    this.#calls.close();
    this.#messages.close();
    return Promise.resolve();
  }

  ready(): Promise<void> {
    if (this.#isClosed) {
      return Promise.reject(createError("MR_APP_CLOSED", { app: this.#app, method: "calling its store" }));
    }
    return this.#calls.ready();
  }

  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Settings are looked at once: a server whose settings change under us is not ours to stop. */
  async #greetCalls(session: Session): Promise<void> {
    if (!this.#isPreflown) {
      this.#durability = await preflight(session, this.#target, this.#options.durability ?? null);
      this.#isPreflown = true;
    }
    await this.#library.ensure(session);
    // Inside a transition a refused PUBLISH would come after writes: so it is tried here.
    const published = await session.command("PUBLISH", this.#replyChannel, ECHO);
    if (!isErrorReply(published)) return;
    if (firstWord(published.errorReply) !== "NOPERM") {
      throw replyFailure(this.#target, { call: "PUBLISH", id: "connect" }, published.errorReply);
    }
    const channels = `{${this.#app}}:*`;
    const reason = `its user may not publish on ${channels}; allow it with ACL SETUSER … &${channels}`;
    throw createError("MR_STORE_UNSAFE", { store: this.url, reason });
  }

  #warnOfMemory(): void {
    if (this.#durability.level !== "memory" || this.#options.durability !== undefined) return;
    this.#logger.warn(
      { store: this.url, isChecked: this.#durability.isChecked },
      "this Redis keeps nothing on disk: a crash of the server loses all work; set appendonly to yes",
    );
  }

  #restored(isFirst: boolean): void {
    if (isFirst) return;
    for (const listener of this.#listeners) listener.restored(null);
  }

  #hear(channel: Buffer, payload: Buffer): void {
    const name = channel.toString();
    if (name !== this.#replyChannel) {
      const isAttended = name !== this.#bellChannel;
      for (const listener of this.#listeners) deliverBell(payload, listener, isAttended);
    } else if (payload.equals(ECHO)) {
      this.#echoesMissed = 0;
    } else {
      for (const listener of this.#listeners) deliverReplies(payload, listener);
    }
  }

  /** Publishes a note to ourselves, so that a listening connection that hears nothing more is noticed. */
  #sendEcho(): void {
    if (this.#isClosed) return;
    if (this.#echoesMissed >= 2 && this.#messages.isUp) {
      this.#echoesMissed = 0;
      this.#messages.rebuild("it hears no messages any more");
    }
    if (this.#calls.isUp && this.#messages.isUp) {
      this.#echoesMissed++;
      const call = { call: "echo", id: this.#instance };
      this.#calls.command(call, "PUBLISH", this.#replyChannel, ECHO).catch(() => undefined); // the next one tells
    }
    this.#echo = this.#clock.setTimer(ECHO_PERIOD_MS, () => this.#sendEcho());
    this.#echo.unref();
  }

  /** Draws the name at the first call; see store/sites/site.ts. Errors: the common ones. */
  async siteName(known: string | null): Promise<string> {
    const key = siteKey(this.#app);
    const found = await this.#command("siteName", "GET", key);
    if (Buffer.isBuffer(found)) return found.toString();
    const drawn = known ?? (this.#options.random ?? systemRandom).text(SITE_BITS);
    // Of two who draw at once the first one's name stands.
    const present = await this.#command("siteName", "SET", key, drawn, "NX", "GET");
    return Buffer.isBuffer(present) ? present.toString() : drawn;
  }

  // ── Directory ────────────────────────────────────────────────────────────────────────────────────────────────────

  async segments(): Promise<readonly string[]> {
    return (await this.#members(segmentsKey(this.#app))).sort();
  }

  async openSegment(segment: string): Promise<void> {
    // The root comes first: whoever finds the Segment in the list may call it. The paused Queues are read after that,
    // so that a pause between the two reaches us either through the list or through this reading.
    await this.#segmentOpen(segment, []);
    await this.#command("openSegment", "SADD", segmentsKey(this.#app), segment);
    const paused = await this.#members(pausedKey(this.#app));
    if (paused.length > 0) await this.#segmentOpen(segment, paused);
    this.#ownSegments.add(segment);
    await this.#messages.tune(this.#attendedChannels(), []);
  }

  async attend(queues: readonly string[]): Promise<boolean> {
    const before = this.#attendedChannels();
    this.#attended = queues;
    const now = this.#attendedChannels();
    await this.#messages.tune(
      now,
      before.filter((channel) => !now.includes(channel)),
    );
    return true;
  }

  #attendedChannels(): string[] {
    return [...this.#ownSegments].flatMap((segment) =>
      this.#attended.map((queue) => attendedChannel(this.#app, segment, queue)),
    );
  }

  async callForHelp(segment: string, queue: string): Promise<void> {
    await this.#command("callForHelp", "PUBLISH", this.#bellChannel, helpMessage(segment, queue));
  }

  async #segmentOpen(segment: string, paused: readonly string[]): Promise<void> {
    const reply = await this.#call(segment, "segment_open", (prefix) => calls.textsFrame(prefix, paused));
    const { answer, schema } = answers.segmentOpenAnswer(reply);
    if (answer === "version") throw schemaFailure(this.#target, segment, schema, String(SCHEMA));
  }

  async recordPause(queue: string, isPaused: boolean): Promise<void> {
    await this.#command("recordPause", isPaused ? "SADD" : "SREM", pausedKey(this.#app), queue);
  }

  async #members(key: string): Promise<string[]> {
    const reply = await this.#command("segments", "SMEMBERS", key);
    return Array.isArray(reply) ? reply.map(String) : [];
  }

  // ── Nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async nodes(): Promise<readonly NodeEntry[]> {
    return answers.nodesAnswer(await this.#command("nodes", "HGETALL", nodesKey(this.#app)));
  }

  async nodeBeat(params: NodeBeatParams): Promise<NodeBeatAnswer> {
    return answers.nodeBeatAnswer(
      await this.#callRoot(nodesKey(this.#app), "node_beat", null, (prefix) => calls.nodeBeatFrame(prefix, params)),
    );
  }

  async nodeLeave(params: NodeLeaveParams): Promise<NodeLeaveAnswer> {
    const texts = [params.incarnation, params.beat ?? ""];
    return answers.nodeLeaveAnswer(
      await this.#callRoot(nodesKey(this.#app), "node_leave", null, (prefix) => calls.textsFrame(prefix, texts)),
    );
  }

  // ── Transitions ──────────────────────────────────────────────────────────────────────────────────────────────────

  async laneOpen(segment: string, params: LaneOpenParams): Promise<LaneOpenAnswer> {
    return answers.laneOpenAnswer(
      await this.#call(segment, "lane_open", (prefix) => calls.laneOpenFrame(prefix, params)),
    );
  }

  async enqueue(segment: string, params: EnqueueParams): Promise<EnqueueAnswer> {
    return answers.enqueueAnswer(await this.#call(segment, "enqueue", (prefix) => calls.enqueueFrame(prefix, params)));
  }

  async enqueueFull(segment: string, params: EnqueueFullParams): Promise<EnqueueFullAnswer> {
    if (params.elements.length === 0) return { answer: "ok", answers: [] };
    const reply = await this.#call(segment, "enqueue_full", (prefix) => calls.enqueueFullFrame(prefix, params));
    return answers.enqueueFullAnswer(reply);
  }

  async claim(segment: string, params: ClaimParams): Promise<ClaimAnswer> {
    return answers.claimAnswer(await this.#call(segment, "claim", (prefix) => calls.claimFrame(prefix, params)));
  }

  async extend(segment: string, params: ExtendParams): Promise<ExtendAnswer> {
    return answers.extendAnswer(
      await this.#call(segment, "extend", (prefix) => calls.textsFrame(prefix, [params.owner])),
    );
  }

  async complete(segment: string, params: CompleteParams): Promise<OutcomesAnswer> {
    if (params.held.length === 0) return { answers: [] };
    return answers.outcomeAnswers(
      await this.#call(segment, "complete", (prefix) => calls.completeFrame(prefix, params)),
    );
  }

  async fail(segment: string, params: FailParams): Promise<OutcomesAnswer> {
    if (params.elements.length === 0) return { answers: [] };
    return answers.outcomeAnswers(await this.#call(segment, "fail", (prefix) => calls.failFrame(prefix, params)));
  }

  async release(segment: string, params: ReleaseParams): Promise<OutcomesAnswer> {
    if (params.elements.length === 0) return { answers: [] };
    return answers.outcomeAnswers(await this.#call(segment, "release", (prefix) => calls.releaseFrame(prefix, params)));
  }

  async cancel(segment: string, params: CancelParams): Promise<CancelsAnswer> {
    if (params.dots.length === 0) return { answers: [] };
    return answers.cancelAnswers(await this.#call(segment, "cancel", (prefix) => calls.cancelFrame(prefix, params)));
  }

  async promote(segment: string, params: PromoteParams): Promise<PromoteAnswer> {
    return answers.promoteAnswer(
      await this.#call(segment, "promote", (prefix) => calls.textsFrame(prefix, [params.max])),
    );
  }

  async rescue(segment: string, params: RescueParams): Promise<RescueAnswer> {
    return answers.rescueAnswer(await this.#call(segment, "rescue", (prefix) => calls.rescueFrame(prefix, params)));
  }

  async requeue(segment: string, params: RequeueParams): Promise<RequeueAnswer> {
    const { dots } = params;
    if (dots.length === 0) return { answers: [] };
    return answers.requeueAnswer(await this.#call(segment, "requeue", (prefix) => calls.requeueFrame(prefix, dots)));
  }

  async prune(segment: string, params: PruneParams): Promise<PruneAnswer> {
    return answers.pruneAnswer(await this.#call(segment, "prune", (prefix) => calls.textsFrame(prefix, [params.max])));
  }

  async progress(segment: string, params: ProgressParams): Promise<OutcomesAnswer> {
    if (params.elements.length === 0) return { answers: [] };
    return answers.outcomeAnswers(
      await this.#call(segment, "progress", (prefix) => calls.progressFrame(prefix, params)),
    );
  }

  async find(segment: string, params: FindParams): Promise<FindAnswer> {
    const { dots, wait } = params;
    if (dots.length === 0) return { records: [] };
    const [name, instance] = wait ? (["find_wait", this.#instance] as const) : (["find", ""] as const);
    const reply = await this.#call(segment, name, (prefix) => calls.findFrame(prefix, dots, instance));
    return answers.findAnswer(segment, dots, reply);
  }

  async peek(segment: string, params: PeekParams): Promise<PeekAnswer> {
    const reply = await this.#call(segment, "peek", (prefix) => calls.peekFrame(prefix, params));
    return answers.peekAnswer(segment, params.of === "dead" ? "dead" : "ready", reply);
  }

  async counts(segment: string): Promise<CountsAnswer> {
    return answers.countsAnswer(await this.#call(segment, "counts", (prefix) => calls.textsFrame(prefix, [])));
  }

  async queuePause(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer> {
    return answers.queuePauseAnswer(
      await this.#call(segment, "queue_pause", (prefix) => calls.textsFrame(prefix, [params.queue])),
    );
  }

  async queueResume(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer> {
    return answers.queuePauseAnswer(
      await this.#call(segment, "queue_resume", (prefix) => calls.textsFrame(prefix, [params.queue])),
    );
  }

  // ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends one call. A call that did nothing, because the server has lost our functions or the root of a Segment that
   * we had opened, is sent again when that is mended. Work that was lost with the root stays lost: lanes and waits
   * find out by what the emptied Segment answers.
   */
  #call(segment: string, name: LuaFunctionName, encode: (prefix: Buffer) => Buffer): Promise<Reply> {
    return this.#callRoot(this.#rootOf(segment), name, segment, encode);
  }

  /** `segment` null: the root is no Segment's. */
  async #callRoot(
    root: string,
    name: LuaFunctionName,
    segment: string | null,
    encode: (prefix: Buffer) => Buffer,
  ): Promise<Reply> {
    const call = { call: name, id: segment ?? root };
    const reply = await this.#calls.send(call, encode(this.#library.prefix(root, name)));
    if (!isErrorReply(reply)) return reply;
    if (this.#library.isMissing(reply)) await this.#reload();
    else if (
      segment !== null &&
      isWithoutRoot(reply.errorReply) &&
      this.#ownSegments.has(segment) &&
      name !== "segment_open"
    ) {
      this.#logger.error({ store: this.url, segment }, "the store was emptied: the Segment is opened anew");
      await this.openSegment(segment);
    } else throw replyFailure(this.#target, call, reply.errorReply);
    return orThrow(this.#target, call, await this.#calls.send(call, encode(this.#library.prefix(root, name))));
  }

  #reload(): Promise<void> {
    this.#reloading ??= this.#library
      .ensure({ command: (name, ...args) => this.#calls.command({ call: name, id: "reload" }, name, ...args) })
      .finally(() => {
        this.#reloading = null;
      });
    return this.#reloading;
  }

  async #command(call: string, name: string, ...args: readonly (string | Buffer)[]): Promise<Reply> {
    const named = { call, id: String(args[0] ?? name) };
    return orThrow(this.#target, named, await this.#calls.command(named, name, ...args));
  }

  #rootOf(segment: string): string {
    let root = this.#roots.get(segment);
    if (root === undefined) {
      root = rootKey(this.#app, segment);
      this.#roots.set(segment, root);
    }
    return root;
  }
}

/** Makes the Store of an App on Redis. Errors: MR_STORE_URL. */
export function redisStore(options: RedisStoreOptions): Store {
  return new RedisStore(options);
}

/**
 * The Store on Redis or Valkey: each transition is one call of one Lua function, each call one frame on one socket.
 *
 * Nothing is repeated here: a call that was cut off is MR_INDETERMINATE at once, and whoever sent it re-sends it when
 * `ready()` resolves. One connection (in a Cluster: one to each primary) carries calls in order, another hears messages;
 * a note the store publishes to itself shows that both still pass them on. Who the primary is, which slot is where and
 * whose data a server has is decided in files of their own (sentinel.ts, cluster.ts, identity.ts, deployment.ts). Chosen by app.ts; may not be imported by queue or foreman.
 */
import type { ConnectionOptions } from "node:tls";
import { type Clock, systemClock, type Timer } from "../../base/clock.js";
import { createError, isMillraceError } from "../../base/errors.js";
import { type Logger, silentLogger } from "../../base/log.js";
import { type Random, systemRandom } from "../../base/random.js";
import type { DurabilityLevel, Secured, StoreDurability } from "../../engine/durability.js";
import type { MemoryUse } from "../../engine/memory-gauge.js";
import type { RestoredCause, SecureParams, Store, StoreListener } from "../../engine/store.js";
import type {
  AnnounceAnswer,
  AnnounceParams,
  CancelParams,
  CancelsAnswer,
  CheckAnswer,
  CheckParams,
  ClaimAnswer,
  ClaimParams,
  CompleteParams,
  CountsAnswer,
  EnqueueAnswer,
  EnqueueFullAnswer,
  EnqueueFullParams,
  EnqueueParams,
  EraseAnswer,
  EraseParams,
  ExplainAnswer,
  ExplainParams,
  ExtendAnswer,
  ExtendParams,
  FailParams,
  FindAnswer,
  FindParams,
  HoldersAnswer,
  HoldersParams,
  LaneOpenAnswer,
  LaneOpenParams,
  LimitSetAnswer,
  LimitSetParams,
  LimitsAnswer,
  LimitsParams,
  ListAnswer,
  ListParams,
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
  RedriveParams,
  ReleaseParams,
  RequeueAnswer,
  RequeueParams,
  RescueAnswer,
  RescueParams,
  SurveyAnswer,
  SurveyParams,
} from "../../engine/transitions.js";
import * as answers from "./answers.js";
import * as calls from "./calls.js";
import { ClusterLines } from "./cluster.js";
import {
  type ErrorReply,
  isErrorReply,
  Link,
  type LinkOptions,
  orThrow,
  type Reply,
  type Session,
} from "./connection.js";
import { Deployment } from "./deployment.js";
import { type CallName, firstWord, isWithoutRoot, replyFailure, schemaFailure, unsent } from "./failure.js";
import { Identity, isPrimary } from "./identity.js";
import {
  attendedChannel,
  bellChannel,
  deploymentKey,
  nodesKey,
  pausedKey,
  replyChannel,
  rootKey,
  segmentsKey,
  siteKey,
} from "./keys.js";
import { type LuaFunctionName, SCHEMA } from "./library.gen.js";
import { Library, type Scripting } from "./library.js";
import { type Lines, SingleLine } from "./lines.js";
import { deliverBell, deliverReplies, helpMessage } from "./messages.js";
import { evictionOf, fieldsOfInfo, preflight } from "./preflight.js";
import { rehearse } from "./rights.js";
import { Securer } from "./securer.js";
import { Sentinels } from "./sentinel.js";
import { parseRedisAddress, type RedisTarget } from "./url.js";

/** What a RedisStore is made of. */
export interface RedisStoreOptions {
  /** See url.ts for the forms. */
  readonly url: string;
  readonly app: string;
  /** The level wanted by name; a store that gives less refuses to open. */
  readonly durability?: DurabilityLevel;
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
/** How often the server is asked whether it is still a primary and still holds our data. */
const PULSE_PERIOD_MS = 1_000;
/** Every so manieth of these times its way to make room is looked at, too: it may have been changed since the start. */
const PULSES_PER_EVICTION_LOOK = 20;
const INSTANCE_BITS = 64;
/** Six characters: short, for they stand in ids. */
const SITE_BITS = 30;
const DEPLOYMENT_BITS = 64;
/** What connections for calls differ in, or share with all others. */
type CallsLinkOptions = Omit<LinkOptions, "name" | "greet" | "up" | "message">;
const ECHO = Buffer.from([0xff, 0xff]);

/** The Store of one App on one Redis. */
export class RedisStore implements Store {
  readonly #target: RedisTarget;
  readonly #app: string;
  readonly #options: RedisStoreOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #library: Library;
  readonly #lines: Lines;
  readonly #messages: Link;
  /** Who knows where the primary is; null where the URL says it. */
  readonly #sentinels: Sentinels | null;
  readonly #deployment: Deployment;
  readonly #isCluster: boolean;
  /** Set while the store holds the data of another deployment. */
  #foreign: Error | null = null;
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
  #durability: StoreDurability;
  #opening: Promise<void> | null = null;
  #isOpen = false;
  #isClosed = false;
  #echo: Timer | null = null;
  #pulse: Timer | null = null;
  #pulses = 0;
  /** Echoes sent since the last one that came back. */
  #echoesMissed = 0;
  readonly #securer: Securer;
  /** Where our functions are being loaded again. */
  readonly #reloading = new Map<Link, Promise<void>>();

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    const address = parseRedisAddress(options.url);
    this.#target = address.target;
    this.#app = options.app;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    const random = options.random ?? systemRandom;
    this.#instance = random.text(INSTANCE_BITS);
    this.#bellChannel = bellChannel(this.#app);
    this.#replyChannel = replyChannel(this.#app, this.#instance);
    const level = options.durability ?? "memory";
    this.#durability = { level, isChecked: false, best: level, replicates: true };
    this.#library = new Library(this.#target, options.test === true ? "test" : "work", options.scripting ?? "auto");
    this.#deployment = new Deployment(this.#target, deploymentKey(this.#app), () => random.text(DEPLOYMENT_BITS));
    this.#isCluster = address.kind === "cluster";
    const surroundings = { tls: options.tls ?? null, clock: this.#clock, random, logger: this.#logger };
    const callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    const shared = { ...surroundings, target: this.#target, callTimeoutMs };
    this.#sentinels = null;
    let locate: (() => Promise<RedisTarget>) | null = null;
    if (address.kind === "sentinel") {
      const sentinels = new Sentinels({ ...surroundings, address, switched: (place) => this.#switched(place) });
      this.#sentinels = sentinels;
      locate = () => sentinels.locate();
    }
    if (address.kind === "cluster") {
      const make = (target: RedisTarget, down: () => void) => this.#callsLink({ ...shared, target, down });
      const lines = new ClusterLines({ ...surroundings, address, make });
      this.#lines = lines;
      // Messages pass between all servers of a Cluster: one that has a share of the App's own keys is as good as any.
      locate = () => lines.locate(segmentsKey(this.#app));
    } else this.#lines = new SingleLine(this.#callsLink({ ...shared, ...(locate === null ? {} : { locate }) }));
    this.#securer = new Securer({
      target: this.#target,
      clock: this.#clock,
      callTimeoutMs,
      line: (root) => this.#lines.of(root),
      refused: (message) => this.#lines.refused(message),
      frame: (root, dots) => calls.findFrame(this.#library.prefix(root, "find"), dots, ""),
      make: (target) =>
        new Link({
          ...shared,
          target,
          name: "millrace-secure",
          greet: async (session) => {
            if ((await isPrimary(session)) === false) throw new Error("it is a replica");
          },
          up: () => undefined,
          message: () => undefined,
        }),
    });
    this.#messages = new Link({
      ...shared,
      ...(locate === null ? {} : { locate }),
      name: "millrace-messages",
      greet: (session) => session.subscribe([this.#bellChannel, this.#replyChannel]),
      up: (isFirst) => {
        this.#echoesMissed = 0;
        void this.#messages.tune(this.#attendedChannels(), []);
        if (!isFirst) this.#restored("reconnected");
      },
      message: (channel, payload) => this.#hear(channel, payload),
    });
  }

  /** A connection for calls; it remembers what its server said of itself. */
  #callsLink(options: CallsLinkOptions): Link {
    const identity = new Identity();
    let cause: RestoredCause = "reconnected";
    const link = new Link({
      ...options,
      name: "millrace-calls",
      greet: async (session) => {
        const isHome = !this.#isCluster || this.#lines.of(deploymentKey(this.#app)) === link;
        cause = await this.#greetCalls(session, identity, isHome);
      },
      up: (isFirst) => {
        // A connection that is new though the store is open: a server of the Cluster has taken another's place.
        if (isFirst) cause = "failover";
        if (isFirst && !this.#isOpen) return;
        if (cause !== "reconnected") {
          this.#logger.warn({ store: this.url, server: link.place, cause }, "the server is not the one it was");
        }
        this.#restored(cause);
      },
      message: () => undefined,
    });
    return link;
  }

  get url(): string {
    return this.#target.shown;
  }

  get durability(): StoreDurability {
    return this.#durability;
  }

  // ── Life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    this.#sentinels?.watch();
    this.#lines.open();
    this.#messages.open();
    const deadline = this.#clock.monotonicMs() + (this.#options.openTimeoutMs ?? OPEN_TIMEOUT_MS);
    while (!this.#lines.isUp || !this.#messages.isUp) {
      const failed = [this.#lines, this.#messages].find((one) => one.fatal !== null);
      const isLate = this.#clock.monotonicMs() >= deadline;
      if (failed !== undefined || isLate || this.#isClosed) {
        const { reason } = this.#lines.isUp ? this.#messages : this.#lines;
        await this.close();
        throw failed?.fatal ?? unsent(this.#target, reason);
      }
      await new Promise<void>((resolve) => {
        this.#clock.setTimer(OPEN_POLL_MS, resolve);
      });
    }
    this.#isOpen = true;
    this.#warnOfMemory();
    this.#sendEcho();
    this.#planPulse();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#echo?.cancel();
    this.#pulse?.cancel();
    this.#sentinels?.close();
    this.#lines.close();
    this.#securer.close();
    this.#messages.close();
    return Promise.resolve();
  }

  ready(segment?: string): Promise<void> {
    if (this.#isClosed) {
      return Promise.reject(createError("MR_APP_CLOSED", { app: this.#app, method: "calling its store" }));
    }
    return this.#lines.ready(segment === undefined ? segmentsKey(this.#app) : this.#rootOf(segment));
  }

  /** Of a Cluster, all servers that are there. Errors: MR_STORE_UNAVAILABLE, MR_INDETERMINATE. */
  async memory(): Promise<readonly MemoryUse[]> {
    const links = this.#lines.all().filter(({ isUp }) => isUp);
    if (links.length === 0) throw unsent(this.#target, this.#lines.reason);
    return await Promise.all(links.map((link) => this.#memoryAt(link)));
  }

  async #memoryAt(link: Link): Promise<MemoryUse> {
    const call = { call: "INFO", id: "memory" };
    const fields = fieldsOfInfo(orThrow(this.#target, call, await link.command(call, "INFO", "memory")));
    const usedBytes = Number(fields.get("used_memory") ?? Number.NaN);
    if (Number.isNaN(usedBytes)) throw unsent(this.#target, "it does not say how much memory it uses");
    const maxBytes = Number(fields.get("maxmemory") ?? 0);
    return { usedBytes, maxBytes: maxBytes > 0 ? maxBytes : null };
  }

  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Settings are looked at once for each life of a server: one whose settings change under us is not ours to stop. */
  async #greetCalls(session: Session, identity: Identity, isHome: boolean): Promise<RestoredCause> {
    if ((await isPrimary(session)) === false) throw new Error("it is a replica");
    const meeting = await identity.meet(session);
    if (meeting.isNew) {
      this.#durability = await preflight(session, this.#target, this.#options.durability ?? null);
      await rehearse(session, this.#target, this.#app);
    }
    await this.#library.ensure(session);
    await this.#greetChannels(session);
    // In a Cluster one server has the record and speaks for all.
    const cause = isHome ? await this.#recognise(session, meeting.cause) : meeting.cause;
    if (this.#foreign !== null) throw this.#foreign;
    identity.accept();
    return cause;
  }

  async #greetChannels(session: Session): Promise<void> {
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

  #restored(cause: RestoredCause): void {
    for (const listener of this.#listeners) listener.restored(null, cause);
  }

  // ── The server behind the URL ────────────────────────────────────────────────────────────────────────────────────

  /** Errors: MR_STORE_UNSAFE when its data is another deployment's. */
  async #recognise(session: Pick<Session, "command">, cause: RestoredCause): Promise<RestoredCause> {
    try {
      const recognition = await this.#deployment.recognise(session);
      this.#foreign = null;
      if (recognition === "older" && cause === "reconnected") return "restarted";
      if (recognition !== "emptied") return cause;
      const said = "the store was emptied: all work it held is lost; going on with what comes";
      this.#logger.error({ store: this.url }, said);
      return "emptied";
    } catch (error) {
      if (isMillraceError(error, "MR_STORE_UNSAFE")) {
        const said = "the store holds the data of another deployment: nothing is called there";
        if (this.#foreign === null) this.#logger.error({ store: this.url, error }, said);
        this.#foreign = error;
      }
      throw error;
    }
  }

  /** Sentinels tell of another primary: who is not there yet goes. */
  #switched(place: string): void {
    for (const link of [...this.#lines.all(), this.#messages]) {
      if (link.place !== place) link.rebuild(`its Sentinels have made ${place} the primary`);
    }
  }

  #planPulse(): void {
    if (this.#isClosed) return;
    this.#pulse = this.#clock.setTimer(PULSE_PERIOD_MS, () => {
      void this.#look().finally(() => this.#planPulse());
    });
    this.#pulse.unref();
  }

  /** Leaves a server that is no primary any more, or whose data has become another deployment's. */
  async #look(): Promise<void> {
    const isThorough = ++this.#pulses % PULSES_PER_EVICTION_LOOK === 0;
    await Promise.all(this.#lines.all().map((link) => this.#lookAt(link, isThorough)));
    if (!(this.#lines.of(deploymentKey(this.#app))?.isUp ?? false)) return;
    try {
      if ((await this.#recognise(this.#home(), "reconnected")) === "emptied") this.#restored("emptied");
    } catch (error) {
      // Else a connection broke, which its Link has seen for itself.
      if (isMillraceError(error, "MR_STORE_UNSAFE")) this.#leave(this.#lines.all(), error.message);
    }
  }

  async #lookAt(link: Link, isThorough: boolean): Promise<void> {
    if (!link.isUp) return;
    const call = { call: "pulse", id: this.#app };
    const session: Pick<Session, "command"> = { command: (name, ...args) => link.command(call, name, ...args) };
    try {
      if ((await isPrimary(session)) === false) return this.#leave([link], "it is no primary any more");
      const eviction = isThorough ? await evictionOf(session) : null;
      // Going on is the lesser evil: what waits on this server is safe only if somebody works it off.
      if (eviction !== null) this.#logger.error({ store: this.url, server: link.place }, eviction);
    } catch {
      // It broke.
    }
  }

  #leave(links: readonly Link[], reason: string): void {
    for (const link of links) link.rebuild(reason);
    if (!this.#isCluster) this.#messages.rebuild(reason);
  }

  /** Calls about the App's own keys. */
  #home(): Pick<Session, "command"> {
    return {
      command: (name, ...args) => {
        const link = this.#lines.of(deploymentKey(this.#app));
        if (link === null) return Promise.reject(unsent(this.#target, this.#lines.reason));
        return link.command({ call: "pulse", id: this.#app }, name, ...args);
      },
    };
  }

  // ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

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
    const line = this.#lines.of(this.#replyChannel);
    if (line?.isUp === true && this.#messages.isUp) {
      this.#echoesMissed++;
      const call = { call: "echo", id: this.#instance };
      line.command(call, "PUBLISH", this.#replyChannel, ECHO).catch(() => undefined); // the next one tells
    }
    this.#echo = this.#clock.setTimer(ECHO_PERIOD_MS, () => this.#sendEcho());
    this.#echo.unref();
  }

  /** Draws the name at the first call; see store/sites/site.ts. Errors: the common ones. */
  async siteName(known: string | null): Promise<string> {
    const key = siteKey(this.#app);
    const found = await this.command("siteName", "GET", key);
    if (Buffer.isBuffer(found)) return found.toString();
    const drawn = known ?? (this.#options.random ?? systemRandom).text(SITE_BITS);
    // Of two who draw at once the first one's name stands.
    const present = await this.command("siteName", "SET", key, drawn, "NX", "GET");
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
    // Asked first: a server without memory refuses SADD even where it would change nothing.
    const isListed = await this.command("openSegment", "SISMEMBER", segmentsKey(this.#app), segment);
    if (isListed !== 1) await this.command("openSegment", "SADD", segmentsKey(this.#app), segment);
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

  async callForHelp(segment: string, queue: string, priority: number): Promise<void> {
    await this.command("callForHelp", "PUBLISH", this.#bellChannel, helpMessage(segment, queue, priority));
  }

  async #segmentOpen(segment: string, paused: readonly string[]): Promise<void> {
    const reply = await this.#call(segment, "segment_open", (prefix) => calls.textsFrame(prefix, paused));
    const { answer, schema } = answers.segmentOpenAnswer(reply);
    if (answer === "version") throw schemaFailure(this.#target, segment, schema, String(SCHEMA));
  }

  async recordPause(queue: string, isPaused: boolean): Promise<void> {
    await this.command("recordPause", isPaused ? "SADD" : "SREM", pausedKey(this.#app), queue);
  }

  async #members(key: string): Promise<string[]> {
    const reply = await this.command("segments", "SMEMBERS", key);
    return Array.isArray(reply) ? reply.map(String) : [];
  }

  // ── Nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async nodes(): Promise<readonly NodeEntry[]> {
    return answers.nodesAnswer(await this.command("nodes", "HGETALL", nodesKey(this.#app)));
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
    if (params.elements.length === 0) return { answer: "ok", answers: [], holders: [] };
    const reply = await this.#call(segment, "enqueue_full", (prefix) => calls.enqueueFullFrame(prefix, params));
    return answers.enqueueFullAnswer(reply);
  }

  async secure(segment: string, params: SecureParams): Promise<Secured> {
    return await this.#securer.secure(segment, this.#rootOf(segment), params, this.#durability);
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

  async redrive(segment: string, params: RedriveParams): Promise<RequeueAnswer> {
    if (params.elements.length === 0) return { answers: [] };
    return answers.requeueAnswer(await this.#call(segment, "redrive", (prefix) => calls.redriveFrame(prefix, params)));
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

  async list(segment: string, params: ListParams): Promise<ListAnswer> {
    const reply = await this.#call(segment, "list", (prefix) => calls.listFrame(prefix, params));
    return answers.listAnswer(segment, params.of.state, reply);
  }

  async survey(segment: string, params: SurveyParams): Promise<SurveyAnswer> {
    const reply = await this.#call(segment, "survey", (prefix) => calls.surveyFrame(prefix, params));
    return answers.surveyAnswer(params.of, reply);
  }

  async holders(segment: string, params: HoldersParams): Promise<HoldersAnswer> {
    if (params.keys.length === 0) return { holders: [] };
    return answers.holdersAnswer(
      await this.#call(segment, "holders", (prefix) => calls.textsFrame(prefix, params.keys)),
    );
  }

  async announce(segment: string, params: AnnounceParams): Promise<AnnounceAnswer> {
    if (params.elements.length === 0) return { answers: [] };
    return answers.announceAnswer(
      await this.#call(segment, "announce", (prefix) => calls.announceFrame(prefix, params)),
    );
  }

  async erase(segment: string, params: EraseParams): Promise<EraseAnswer> {
    const { dots } = params;
    if (dots.length === 0) return { answers: [] };
    return answers.eraseAnswer(await this.#call(segment, "erase", (prefix) => calls.requeueFrame(prefix, dots)));
  }

  async check(segment: string, params: CheckParams): Promise<CheckAnswer> {
    const name = params.isMending ? "mend" : "check";
    const reply = await this.#call(segment, name, (prefix) => calls.checkFrame(prefix, params));
    return answers.checkAnswer(segment, params.cursor ?? "", reply);
  }

  async explain(segment: string, params: ExplainParams): Promise<ExplainAnswer> {
    const reply = await this.#call(segment, "explain", (prefix) => calls.explainFrame(prefix, params));
    return answers.explainAnswer(segment, reply);
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

  async limitSet(segment: string, params: LimitSetParams): Promise<LimitSetAnswer> {
    return answers.limitSetAnswer(
      await this.#call(segment, "limit_set", (prefix) => calls.limitSetFrame(prefix, params)),
    );
  }

  async limits(segment: string, params: LimitsParams): Promise<LimitsAnswer> {
    return answers.limitsAnswer(
      await this.#call(segment, "limits", (prefix) => calls.textsFrame(prefix, [params.max])),
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
    const reply = await this.#send(root, call, encode(this.#library.prefix(root, name)));
    if (!isErrorReply(reply)) return reply;
    if (this.#library.isMissing(reply)) await this.#reload(root);
    else if (
      segment !== null &&
      isWithoutRoot(reply.errorReply) &&
      this.#ownSegments.has(segment) &&
      name !== "segment_open"
    ) {
      this.#logger.error({ store: this.url, segment }, "the store was emptied: the Segment is opened anew");
      await this.openSegment(segment);
    } else if (!this.#lines.refused(reply.errorReply)) throw replyFailure(this.#target, call, reply.errorReply);
    return orThrow(this.#target, call, await this.#send(root, call, encode(this.#library.prefix(root, name))));
  }

  #send(key: string, call: CallName, frame: Buffer): Promise<Reply | ErrorReply> {
    const link = this.#lines.of(key);
    return link === null ? Promise.reject(unsent(this.#target, this.#lines.reason)) : link.send(call, frame);
  }

  #reload(key: string): Promise<void> {
    const link = this.#lines.of(key);
    if (link === null) return Promise.reject(unsent(this.#target, this.#lines.reason));
    let reloading = this.#reloading.get(link);
    if (reloading === undefined) {
      reloading = this.#library
        .ensure({ command: (name, ...args) => link.command({ call: name, id: "reload" }, name, ...args) })
        .catch((error: Error) => {
          // Whoever may not load them waits for somebody who may: no call was made, and none is given up.
          throw isMillraceError(error, "MR_STORE_UNSAFE") ? unsent(this.#target, error.message) : error;
        })
        .finally(() => this.#reloading.delete(link));
      this.#reloading.set(link, reloading);
    }
    return reloading;
  }

  /** Sends a command about one key (or channel), its first argument. */
  protected async command(
    call: string,
    name: string,
    key: string,
    ...args: readonly (string | Buffer)[]
  ): Promise<Reply> {
    const named = { call, id: key };
    const send = (): Promise<Reply | ErrorReply> => {
      const link = this.#lines.of(key);
      if (link === null) return Promise.reject(unsent(this.#target, this.#lines.reason));
      return link.command(named, name, key, ...args);
    };
    const reply = await send();
    const isMoved = isErrorReply(reply) && this.#lines.refused(reply.errorReply);
    return orThrow(this.#target, named, isMoved ? await send() : reply);
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

/**
 * Connections to Redis: the only importer of ioredis. A Link is one connection that is built anew whenever it breaks.
 *
 * ioredis parses and frames; it neither repeats nor queues a call, nor reconnects: a broken client object is thrown
 * away, for one that was half closed can wait for ever. Whoever uses a Link re-sends what stayed unanswered.
 * Used by redis-store.ts: one Link for calls, one for messages. Must not know a key or a transition.
 */
import type { ConnectionOptions } from "node:tls";
import { Command, Redis, type RedisOptions } from "ioredis";
import type { Clock, Timer } from "../../base/clock.js";
import { Deque } from "../../base/deque.js";
import { createError, isMillraceError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import type { Random } from "../../base/random.js";
import { afterTick } from "../../base/tick.js";
import { type CallName, firstWord, replyFailure, unknown, unsent } from "./failure.js";
import { isDistrust, tlsOptions } from "./tls.js";
import { maskSecrets, placeOf, type RedisTarget } from "./url.js";

/** What a server answers: bulk strings as bytes, integers, and arrays of these. Error replies reject. */
export type Reply = Buffer | string | number | null | readonly Reply[];

/** A reply that is an error, before it is known what it means to the caller. */
export interface ErrorReply {
  readonly errorReply: string;
}

/** Sends on a connection that is not up yet: for greetings, which decide whether it comes up. */
export interface Session {
  /** Resolves with the reply; an error reply resolves as an ErrorReply. Rejects as `Link.send` does. */
  command(name: string, ...args: readonly (string | Buffer)[]): Promise<Reply | ErrorReply>;
  /** Subscribes to channels. */
  subscribe(channels: readonly string[]): Promise<void>;
}

/** What a Link is made of. */
export interface LinkOptions {
  /** Where it leads and what it is called in messages. */
  readonly target: RedisTarget;
  /** Asked before each dial where to, for servers that change places; without it `target` is dialled. */
  readonly locate?: () => Promise<RedisTarget>;
  readonly tls: ConnectionOptions | null;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly callTimeoutMs: number;
  /** Runs on each new connection before it is up; what it throws breaks the connection. */
  greet(session: Session): Promise<void>;
  /** It is up, for the first time (`isFirst`) or again. */
  up(isFirst: boolean): void;
  /** A message came on a subscribed channel. */
  message(channel: Buffer, payload: Buffer): void;
  /** A try or a life ended; another one follows. */
  down?(reason: string): void;
}

const BACKOFF_FIRST_MS = 50;
/** With the dial below, what bounds how long after a server's return a process finds it: about three seconds. */
const BACKOFF_MAX_MS = 2_000;
/** How long a server may take to accept a connection: an address that swallows packets says nothing for ever. */
const ACCEPT_MS = 2_000;
/** How long a server that loads its data is left alone at most; what it guesses itself may be far too long. */
const LOADING_MS = 500;
const LOG_PERIOD_MS = 10_000;
const WATCH_STEPS = 4;

/** First words of refusals at connect that no further try changes. */
const REFUSALS: ReadonlySet<string> = new Set(["ERR", "WRONGPASS", "NOAUTH", "NOPERM"]);

/** Whether a reply is an error reply of `Session.command`. */
export function isErrorReply(reply: Reply | ErrorReply): reply is ErrorReply {
  return typeof reply === "object" && reply !== null && "errorReply" in reply;
}

/** A call whose bytes are written by frame.ts. */
class FramedCommand extends Command {
  readonly #frame: Buffer;

  constructor(frame: Buffer) {
    super("fcall");
    this.#frame = frame;
  }

  override toWritable(): Buffer {
    return this.#frame;
  }
}

type NetStream = Redis["stream"];

/** A call that waits for its reply. */
interface Pending {
  readonly name: CallName;
  readonly sentAtMs: number;
  readonly reject: (error: Error) => void;
  isDone: boolean;
}

/**
 * One connection with a life of many sockets.
 *
 * *idle*: made, nothing tried. `open` → locating or connecting.
 * *locating*: whoever knows it is asked where the server is; answered → connecting; not → waiting.
 * *connecting*: a client object dials; ready → greeting; it breaks → waiting.
 * *greeting*: the server answers, `greet` is at work; done → up; it throws → waiting, with its error as the reason.
 * *up*: calls are sent. The client breaks, or nothing moved for a whole call timeout while calls wait → waiting;
 *   what is unanswered is rejected as unknown.
 * *waiting*: a timer runs, longer each time, with full jitter; → locating or connecting.
 * *closed*: the end, from anywhere.
 */
export class Link {
  readonly #options: LinkOptions;
  #state: "idle" | "locating" | "connecting" | "greeting" | "up" | "waiting" | "closed" = "idle";
  /** The client of this life; null in idle, locating, waiting and closed. */
  #client: Redis | null = null;
  /** What this life dialled, or the latest one. */
  #dialled: RedisTarget;
  /** Why it is not up; shown in errors. */
  #reason = "it was not opened yet";
  #wasUp = false;
  #failures = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #retry: Timer | null = null;
  #watch: Timer | null = null;
  /** Runs from the dial until it is up: a stopped server accepts connections and then says nothing. */
  #dial: Timer | null = null;
  /** Sent and unanswered, oldest first; answered ones stay until those before them are. */
  readonly #pending = new Deque<Pending>();
  /** The stream that holds back what is written until the end of this tick. */
  #gathering: NetStream | null = null;
  #movedAtMs = 0;
  #bytesSeen = 0;
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  /** The latest error a connection ended with, if it can never go away by itself. */
  #fatal: Error | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#dialled = options.target;
  }

  /** Host and port of the latest dial. */
  get place(): string {
    return placeOf(this.#dialled);
  }

  /** What the latest dial was for. */
  get dialled(): RedisTarget {
    return this.#dialled;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Why calls cannot be sent now. */
  get reason(): string {
    return this.#reason;
  }

  /** What the latest connection failed with, if another try gives the same. */
  get fatal(): Error | null {
    return this.#fatal;
  }

  /** Begins to connect; `ready` tells when it is up. */
  open(): void {
    if (this.#state === "idle") this.#connect();
  }

  /** Ends the connection; what is unanswered is rejected as unknown. May be called twice. */
  close(): void {
    if (this.#state === "closed") return;
    this.#drop("it is closed");
    this.#state = "closed";
    this.#retry?.cancel();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(unsent(this.#options.target, this.#reason));
  }

  /** Resolves when it is up, at once if it is. Errors: MR_STORE_UNAVAILABLE after `close`. */
  ready(): Promise<void> {
    if (this.#state === "up") return Promise.resolve();
    if (this.#state === "closed") return Promise.reject(unsent(this.#options.target, this.#reason));
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Sends a frame. An error reply resolves as an ErrorReply. Errors: MR_STORE_UNAVAILABLE · MR_INDETERMINATE. */
  send(name: CallName, frame: Buffer): Promise<Reply | ErrorReply> {
    return this.#write(name, this.#state === "up" ? this.#client : null, () => new FramedCommand(frame));
  }

  /** Sends a command by its words, as `send` does. */
  command(call: CallName, name: string, ...args: readonly (string | Buffer)[]): Promise<Reply | ErrorReply> {
    return this.#write(call, this.#state === "up" ? this.#client : null, () => new Command(name, [...args]));
  }

  /**
   * Subscribes to channels (again is the same as once) and lets others go, if it is up; its next life knows nothing of
   * it. Errors: none: a connection that breaks meanwhile is told by `up`.
   */
  async tune(wanted: readonly string[], unwanted: readonly string[]): Promise<void> {
    const client = this.#client;
    if (this.#state !== "up" || client === null) return;
    const calls: Promise<unknown>[] = [];
    if (wanted.length > 0) calls.push(client.subscribe(...wanted));
    if (unwanted.length > 0) calls.push(client.unsubscribe(...unwanted));
    await Promise.allSettled(calls);
  }

  /** Throws the connection away and builds a new one soon: for who sees more than this Link can. */
  rebuild(reason: string): void {
    this.#failures = 0;
    if (this.#client !== null) this.#break(this.#client, reason);
    else if (this.#state === "waiting") this.#rest();
  }

  #write(name: CallName, client: Redis | null, make: () => Command): Promise<Reply | ErrorReply> {
    const { target, clock } = this.#options;
    // A socket ends before its end is told, in a later turn. Who asks again as soon as this is up must not find it so
    // till then: asking in microtasks, it would be that turn it kept from coming.
    if (client !== null && !client.stream?.writable) this.#break(client, "the connection was closed");
    if (client === null || client !== this.#client) return Promise.reject(unsent(target, this.#reason));
    return new Promise((resolve, reject) => {
      const now = clock.monotonicMs();
      if (this.#pending.length === 0) this.#movedAtMs = now;
      const pending: Pending = { name, sentAtMs: now, reject, isDone: false };
      const command = make();
      this.#pending.push(pending);
      this.#gather(client.stream);
      command.promise.then(
        (reply: Reply) => {
          this.#answered(pending);
          resolve(reply);
        },
        (error: Error) => {
          const isReply = error.name === "ReplyError";
          if (isReply) this.#answered(pending);
          else pending.isDone = true;
          if (isReply) resolve({ errorReply: error.message });
          else if (error.message.startsWith("Stream isn't writeable")) {
            this.#break(client, "the connection was closed");
            reject(unsent(target, this.#reason));
          } else reject(unknown(name));
        },
      );
      client.sendCommand(command);
      this.#startWatch();
    });
  }

  /**
   * What is sent in one tick leaves in one piece: an enqueue and the claim behind it are one system call here, one
   * reading there and one answer, each of which costs more than the calls themselves when batches are small.
   */
  #gather(stream: NetStream): void {
    if (this.#gathering === stream) return;
    this.#gathering = stream;
    stream.cork();
    afterTick(() => {
      if (this.#gathering === stream) this.#gathering = null;
      stream.uncork();
    });
  }

  #answered(pending: Pending): void {
    pending.isDone = true;
    this.#movedAtMs = this.#options.clock.monotonicMs();
    while (this.#pending.at(0)?.isDone) this.#pending.shift();
  }

  // ── Watchdog ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks a few times per timeout, only while something is unanswered. */
  #startWatch(): void {
    if (this.#watch !== null) return;
    const { clock, callTimeoutMs } = this.#options;
    this.#watch = clock.setTimer(callTimeoutMs / WATCH_STEPS, () => {
      this.#watch = null;
      this.#look();
    });
    this.#watch.unref();
  }

  /** Calls older than the timeout are unknown; if nothing moved for as long, the connection is dead. */
  #look(): void {
    const { clock, callTimeoutMs } = this.#options;
    const now = clock.monotonicMs();
    const bytes = this.#client?.stream?.bytesRead ?? 0;
    if (bytes !== this.#bytesSeen) this.#movedAtMs = now;
    this.#bytesSeen = bytes;
    const isWaiting = this.#pending.length > 0;
    for (let first = this.#pending.at(0); first !== undefined; first = this.#pending.at(0)) {
      if (!first.isDone && now - first.sentAtMs < callTimeoutMs) break;
      this.#pending.shift();
      if (!first.isDone) first.reject(unknown(first.name));
    }
    if (isWaiting && this.#client !== null && now - this.#movedAtMs >= callTimeoutMs) {
      this.#break(this.#client, `no answer for ${callTimeoutMs} ms`);
    }
    if (this.#pending.length > 0) this.#startWatch();
  }

  // ── Lives ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    const { locate, target } = this.#options;
    if (locate === undefined) return this.#dialTo(target);
    this.#state = "locating";
    locate().then(
      (found) => {
        if (this.#state === "locating") this.#dialTo(found);
      },
      (error: unknown) => {
        if (this.#state === "locating") this.#refused(error);
      },
    );
  }

  #dialTo(target: RedisTarget): void {
    const { clock, callTimeoutMs: connectTimeoutMs } = this.#options;
    this.#dialled = target;
    let client: Redis;
    try {
      client = new Redis(this.#clientOptions(target));
    } catch (error) {
      return this.#refused(error); // a file with a certificate that cannot be read
    }
    this.#client = client;
    this.#state = "connecting";
    this.#bytesSeen = 0;
    let lastError = "";
    // Listeners first: an error without one would end the process.
    client.on("error", (error: Error) => {
      lastError = describe(error);
      if (this.#client === client && isDistrust(error)) {
        const reason = `the certificate of ${placeOf(target)} is not trusted: ${lastError}`;
        this.#fatal = createError("MR_STORE_UNSAFE", { store: this.#options.target.shown, reason });
        return this.#break(client, reason);
      }
      // A refused SELECT or AUTH is only reported: going on would use another database.
      if (error.name !== "ReplyError" || this.#client !== client) return;
      if (REFUSALS.has(firstWord(lastError))) this.#fatal = unsent(this.#options.target, lastError);
      this.#break(client, lastError);
    });
    client.on("end", () => this.#break(client, lastError || "the connection was closed"));
    client.on("close", () => this.#break(client, lastError || "the connection was closed"));
    client.on("messageBuffer", (channel: Buffer, payload: Buffer) => {
      if (this.#client === client) this.#options.message(channel, payload);
    });
    client.once("ready", () => {
      if (this.#client === client) void this.#greet(client);
    });
    this.#dial = clock.setTimer(connectTimeoutMs, () => {
      this.#break(client, lastError || `not connected within ${connectTimeoutMs} ms`);
    });
    client.connect().catch(() => undefined); // told by the events above
  }

  async #greet(client: Redis): Promise<void> {
    this.#state = "greeting";
    const session: Session = {
      command: (name, ...args) =>
        this.#write({ call: name, id: "connect" }, client, () => new Command(name, [...args])),
      subscribe: async (channels) => {
        await client.subscribe(...channels);
      },
    };
    try {
      await this.#options.greet(session);
    } catch (error) {
      if (this.#client !== client) return;
      this.#fatal = isMillraceError(error) && !error.retryable ? error : null;
      this.#break(client, error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.#client === client) this.#rise();
  }

  #rise(): void {
    const isFirst = !this.#wasUp;
    this.#state = "up";
    this.#wasUp = true;
    this.#fatal = null;
    this.#dial?.cancel();
    this.#dial = null;
    if (this.#failures > 0) this.#options.logger.info({ link: this.#options.name }, "connected to Redis again");
    this.#failures = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve } of waiters) resolve();
    this.#options.up(isFirst);
  }

  /** Ends the life of one client object; later events of it find another one in place and are ignored. */
  #break(client: Redis, reason: string): void {
    if (this.#client === client) this.#fall(reason);
  }

  /** Ends a try that never had a client object. */
  #refused(error: unknown): void {
    this.#fatal = isMillraceError(error) && !error.retryable ? error : null;
    this.#fall(error instanceof Error ? error.message : String(error));
  }

  #fall(reason: string): void {
    this.#drop(maskSecrets(this.#options.target, reason));
    this.#state = "waiting";
    this.#log();
    this.#rest();
    this.#options.down?.(this.#reason);
  }

  /** Waits before the next try, longer each time. */
  #rest(): void {
    const { clock, random } = this.#options;
    this.#retry?.cancel();
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#retry = clock.setTimer(random.next() * ceiling, () => {
      this.#retry = null;
      if (this.#state === "waiting") this.#connect();
    });
  }

  #drop(reason: string): void {
    const client = this.#client;
    this.#client = null;
    this.#reason = reason;
    this.#watch?.cancel();
    this.#watch = null;
    this.#dial?.cancel();
    this.#dial = null;
    if (client !== null) {
      client.disconnect();
      client.stream?.destroy();
    }
    const pending = this.#pending.shiftMany(this.#pending.length);
    for (const call of pending) if (!call.isDone) call.reject(unknown(call.name));
  }

  /** One line when it breaks, then at most one per period while it stays down. */
  #log(): void {
    const { clock, logger, name, target } = this.#options;
    const now = clock.monotonicMs();
    if (now - this.#loggedAtMs < LOG_PERIOD_MS) return;
    this.#loggedAtMs = now;
    logger.warn({ link: name, store: target.shown, reason: this.#reason }, "no connection to Redis, trying again");
  }

  #clientOptions(target: RedisTarget): Omit<RedisOptions, "replyMapping"> {
    const { name } = this.#options;
    const tls = tlsOptions(target, this.#options.tls);
    return {
      ...(target.path === null ? { host: target.host, port: target.port } : { path: target.path }),
      ...(target.username === null ? {} : { username: target.username }),
      ...(target.password === null ? {} : { password: target.password }),
      ...(tls === null ? {} : { tls }),
      db: target.db,
      connectionName: name,
      lazyConnect: true,
      protocol: 2,
      retryStrategy: null,
      connectTimeout: Math.min(this.#options.callTimeoutMs, ACCEPT_MS),
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      enableOfflineQueue: false,
      enableAutoPipelining: false,
      enableReadyCheck: true,
      maxLoadingRetryTime: LOADING_MS,
      maxRetriesPerRequest: 0,
    };
  }
}

function describe(error: Error & { readonly code?: unknown }): string {
  if (error.message !== "") return error.message;
  // A failed dial of several addresses is an AggregateError without words.
  return typeof error.code === "string" ? error.code : error.name;
}

/** The reply, or the error it stands for. Errors: as `replyFailure` tells. */
export function orThrow(target: RedisTarget, name: CallName, reply: Reply | ErrorReply): Reply {
  if (isErrorReply(reply)) throw replyFailure(target, name, reply.errorReply);
  return reply;
}

/**
 * Waits for replicas and for the disk (elsewhere: write concern): WAIT and WAITAOF, once per round for all who ask.
 *
 * A connection of its own, made when first used: a wait blocks the connection it is made on, and calls must go on. In one
 * piece it asks whether the server has the Operations, writes a mark and waits until that is where it should be. Replicas
 * and disks take writes in order, so they have then all that was there before the mark; and if another server has
 * taken the first one's place meanwhile, it is that one's answer that counts. Used by redis-store.ts.
 */
import type { Clock } from "../../base/clock.js";
import { createError } from "../../base/errors.js";
import { afterTick } from "../../base/tick.js";
import {
  type Durability,
  isAtLeast,
  isImplied,
  isOffered,
  levelIn,
  replicasIn,
  type Secured,
  type StoreDurability,
  showDurability,
} from "../../engine/durability.js";
import type { LocalDot } from "../../engine/lease.js";
import type { SecureParams } from "../../engine/store.js";
import { findAnswer } from "./answers.js";
import { type ErrorReply, isErrorReply, type Link, type Reply } from "./connection.js";
import { type CallName, replyFailure, unsent } from "./failure.js";
import type { RedisTarget } from "./url.js";

/** What a Securer reaches servers with. */
export interface SecurerOptions {
  readonly target: RedisTarget;
  readonly clock: Clock;
  readonly callTimeoutMs: number;
  /** The connection for calls about a root; null where nobody knows. */
  line(root: string): Link | null;
  /** Takes note of a refusal. */
  refused(message: string): boolean;
  /** A call that reads Operations. */
  frame(root: string, dots: readonly LocalDot[]): Buffer;
  /** Makes a connection to wait on. */
  make(target: RedisTarget): Link;
}

/** The longest wait for replicas or the disk, in milliseconds; below the call timeout in any case. */
const WAIT_MS = 2_000;
/** How long a round waits for its connection; who calls again waits for the store itself. */
const CONNECT_MS = 1_000;
/** Operations in one round. */
const ROUND_MAX = 1_000;
/** How long a Segment's mark stays, so that none is left behind: it is only ever written. */
const MARK_MS = "60000";

interface Request {
  readonly segment: string;
  readonly root: string;
  readonly params: SecureParams;
  readonly store: StoreDurability;
  resolve(secured: Secured): void;
  reject(error: Error): void;
}

/** Who waits on one server. */
interface Bench {
  readonly link: Link;
  requests: Request[];
  isBusy: boolean;
}

/** Waits on every server that was asked about. */
export class Securer {
  readonly #options: SecurerOptions;
  /** By place. */
  readonly #benches = new Map<string, Bench>();
  #isClosed = false;

  constructor(options: SecurerOptions) {
    this.#options = options;
  }

  /** See `Store.secure`. */
  secure(segment: string, root: string, params: SecureParams, store: StoreDurability): Promise<Secured> {
    const { asked } = params;
    if (!isOffered(store, asked)) {
      const shown = showDurability(levelIn(asked), replicasIn(asked));
      return Promise.reject(createError("MR_DURABILITY_UNAVAILABLE", { asked: shown, available: store.best }));
    }
    const line = this.#options.line(root);
    if (line === null || this.#isClosed) return Promise.reject(this.#away("nobody knows where it is"));
    const bench = this.#benchAt(line);
    return new Promise((resolve, reject) => {
      bench.requests.push({ segment, root, params, store, resolve, reject });
      if (bench.requests.length === 1 && !bench.isBusy) afterTick(() => void this.#work(bench));
    });
  }

  /** Ends all connections; whoever waits hears MR_INDETERMINATE or MR_STORE_UNAVAILABLE. */
  close(): void {
    this.#isClosed = true;
    for (const { link } of this.#benches.values()) link.close();
  }

  #benchAt(line: Link): Bench {
    const { place } = line;
    let bench = this.#benches.get(place);
    if (bench === undefined) {
      this.#leaveDead();
      bench = { link: this.#options.make(line.dialled), requests: [], isBusy: false };
      bench.link.open();
      this.#benches.set(place, bench);
    }
    return bench;
  }

  /** A server has taken another's place: nobody will ask about that one again. */
  #leaveDead(): void {
    for (const [place, { link, isBusy }] of this.#benches) {
      if (link.isUp || isBusy) continue;
      link.close();
      this.#benches.delete(place);
    }
  }

  /** One round behind another until nobody waits: meanwhile the next one gathers. */
  async #work(bench: Bench): Promise<void> {
    if (bench.isBusy) return;
    bench.isBusy = true;
    while (bench.requests.length > 0) {
      const round = this.#cut(bench);
      try {
        await this.#round(bench.link, round);
      } catch (error) {
        for (const { reject } of round) reject(error as Error); // links and answers reject with errors only
      }
    }
    bench.isBusy = false;
  }

  /** Those who ask the same as the first one. */
  #cut(bench: Bench): Request[] {
    const first = bench.requests[0];
    const round: Request[] = [];
    const later: Request[] = [];
    let dots = 0;
    for (const request of bench.requests) {
      const isSame = first !== undefined && isEqual(request.params.asked, first.params.asked);
      if (isSame && (round.length === 0 || dots + request.params.dots.length <= ROUND_MAX)) {
        round.push(request);
        dots += request.params.dots.length;
      } else later.push(request);
    }
    bench.requests = later;
    return round;
  }

  async #round(link: Link, round: readonly Request[]): Promise<void> {
    const [first] = round;
    if (first === undefined) return;
    await this.#up(link);
    const { frame } = this.#options;
    const { asked } = first.params;
    const roots = new Map<string, Request[]>();
    for (const request of round) {
      const same = roots.get(request.root);
      if (same === undefined) roots.set(request.root, [request]);
      else same.push(request);
    }
    // All of it leaves in this turn, on one connection: what breaks in between breaks all of it.
    const call = { call: "secure", id: first.segment };
    const found = [...roots].map(([root, requests]) => {
      const dots = requests.flatMap(({ params }) => params.dots);
      return dots.length === 0 ? null : link.send(call, frame(root, dots));
    });
    const mark = link.command(call, "SET", `${first.root}:s`, "1", "PX", MARK_MS);
    const waited = this.#wait(link, call, asked, first.store);
    const replies = await Promise.all([...found, mark, waited]);
    for (const reply of replies) if (isErrorReply(reply ?? "")) throw this.#failure(call, reply as ErrorReply);
    const reached = reachedBy(await waited, asked, first.store);
    for (const [i, requests] of [...roots.values()].entries()) {
      this.#answer(requests, (replies[i] ?? []) as Reply, reached); // errors were thrown above
    }
  }

  #answer(requests: readonly Request[], reply: Reply, reached: Omit<Secured, "missing">): void {
    const dots = requests.flatMap(({ params }) => params.dots);
    const segment = requests[0]?.segment ?? "";
    const { records } = dots.length === 0 ? { records: [] } : findAnswer(segment, dots, reply);
    let at = 0;
    for (const { params, resolve } of requests) {
      const missing = params.dots.flatMap((_, i) => (records[at + i] === "missing" ? [i] : []));
      at += params.dots.length;
      resolve({ ...reached, missing });
    }
  }

  #wait(link: Link, call: CallName, asked: Durability, store: StoreDurability): Promise<Reply | ErrorReply> {
    const ms = String(Math.min(WAIT_MS, Math.floor(this.#options.callTimeoutMs / 2)));
    const replicas = String(replicasIn(asked));
    const isDiskImplied = isAtLeast(store.level, levelIn(asked));
    if (!isDiskImplied) return link.command(call, "WAITAOF", "1", replicas, ms);
    if (isImplied(store, asked)) return Promise.resolve(0);
    return link.command(call, "WAIT", replicas, ms);
  }

  async #up(link: Link): Promise<void> {
    if (link.isUp) return;
    await new Promise<void>((resolve, reject) => {
      const timer = this.#options.clock.setTimer(CONNECT_MS, () => reject(this.#away(link.reason)));
      link.ready().then(
        () => {
          timer.cancel();
          resolve();
        },
        (error: Error) => {
          timer.cancel();
          reject(error);
        },
      );
    });
  }

  #failure(call: CallName, { errorReply }: ErrorReply): Error {
    this.#options.refused(errorReply);
    return replyFailure(this.#options.target, call, errorReply);
  }

  #away(reason: string): Error {
    return unsent(this.#options.target, reason);
  }
}

/** WAIT answers a number, WAITAOF two: our disk, theirs. */
function reachedBy(reply: Reply | ErrorReply, asked: Durability, store: StoreDurability): Omit<Secured, "missing"> {
  if (!Array.isArray(reply)) return { level: store.level, replicas: replicasIn(asked) === 0 ? 0 : Number(reply) };
  const [local, replicas] = reply.map(Number);
  return { level: (local ?? 0) >= 1 ? "fsync" : store.level, replicas: replicas ?? 0 };
}

function isEqual(a: Durability, b: Durability): boolean {
  return levelIn(a) === levelIn(b) && replicasIn(a) === replicasIn(b);
}

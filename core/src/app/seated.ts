/**
 * An App inside a Worker: its Steps are run here, and what its Steps ask of it goes over the rings to the Foreman, which
 * alone has a store. So a Worker holds no connection, and its calls are coalesced with everything else.
 *
 * An App of another id is no part of the Foreman's: it stays a client of its own store, and cannot be started here.
 */
import { systemClock } from "../base/clock.js";
import { createError } from "../base/errors.js";
import type { LocalDot } from "../engine/lease.js";
import { STORE_CALLS } from "../foreman/call-desk.js";
import type { Found } from "../queue/finder.js";
import type { FullSubmission, Submission, SubmissionSink } from "../queue/submission.js";
import type { Ending, Waiter } from "../queue/waiters.js";
import { APP_SEAT_VERSION, type AppSeat, findAppSeat, type SeatedApp } from "../worker/app-seat.js";
import type { CallLink, CallTaker } from "../worker/call-link.js";
import type { Reach, ReachStore } from "./reach.js";

/** An App in a Worker. */
export class Seated {
  readonly reach: Reach;
  readonly sink: SubmissionSink;
  readonly #seat: AppSeat;
  readonly #id: string;

  constructor(seat: AppSeat, id: string) {
    this.#seat = seat;
    this.#id = id;
    this.sink = new RemoteSink(this);
    const store = remoteStore(this);
    const waiters = new RemoteWaiters(this);
    const find = (segment: string, dot: LocalDot) => this.ask<Found>("find", [segment, dot.laneName, dot.counter]);
    this.reach = {
      opened: async (method) => void this.link(method),
      durability: () => seat.options.durability,
      finder: () => ({ find }),
      waiters: () => waiters,
      clock: () => systemClock,
      call: (call) => call(store),
    };
  }

  /** The Foreman's Node. */
  get nodeId(): string {
    return this.#seat.options.nodeId;
  }

  /** Attempts running and Operations buffered in this Worker. */
  get load(): { readonly running: number; readonly buffered: number } {
    return this.#seat.load();
  }

  /** The way to the Foreman. Errors: MR_APP_STATE while the module is only looked at. */
  link(method: string): CallLink {
    const { link } = this.#seat;
    if (link !== null) return link;
    throw this.refusal(method, "being read for its definitions", "started");
  }

  /** Calls the Foreman. Errors: MR_APP_STATE, those of the call. */
  async ask<Answer>(method: string, args: readonly unknown[]): Promise<Answer> {
    const link = this.link(method);
    return await new Promise<Answer>((resolve, reject) => {
      // The desk answers what the method's own type says.
      link.call(method, args, { answered: (value) => resolve(value as Answer), failed: reject });
    });
  }

  /** Why a method is not possible here. */
  refusal(method: string, state = "inside a Worker", expected = "in the main thread"): Error {
    return createError("MR_APP_STATE", { app: this.#id, state, method, expected });
  }
}

/** Tells the Worker this App is made in, if it is one. `key` is the App itself; null outside of Workers. */
export function takeSeat(
  key: object,
  app: SeatedApp,
): { readonly seat: AppSeat; readonly seated: Seated | null } | null {
  const seat = findAppSeat();
  if (seat === null) return null;
  if (seat.version !== APP_SEAT_VERSION) {
    const reason = "it uses another version of @millrace/core than its Foreman: install one for both";
    throw createError("MR_MODULE_FAILED", { module: `of App ${app.id}`, reason });
  }
  seat.adopt(key, app);
  return { seat, seated: seat.isFor(app.id) ? new Seated(seat, app.id) : null };
}

/** Hands Operations to the Foreman's Producer. */
class RemoteSink implements SubmissionSink {
  readonly #seated: Seated;

  constructor(seated: Seated) {
    this.#seated = seated;
  }

  get backlog(): number {
    return this.#seated.link("enqueue").pending;
  }

  push(queue: string, submission: Submission): void {
    this.#seated.link("enqueue").enqueue(queue, 0, null, submission.body, submission);
  }

  pushFull(submission: FullSubmission): void {
    const { queue, priority, due, body, ties } = submission;
    this.#seated.link("enqueue").enqueue(queue, priority, due, body, submission, ties);
  }

  end(): void {
    // Its end is the Worker's.
  }
}

/** Waits at the Foreman's Waiters. */
class RemoteWaiters {
  readonly #seated: Seated;

  constructor(seated: Seated) {
    this.#seated = seated;
  }

  wait(segment: string, dot: LocalDot, waiter: Waiter): () => void {
    return this.#open("wait", segment, dot, {
      answered: (ending) => waiter.settled(ending as Ending), // what the desk answers a wait
      failed: (error) => waiter.failed(error),
    });
  }

  follow(segment: string, dot: LocalDot, listener: (value: Uint8Array) => void): () => void {
    return this.#open("follow", segment, dot, {
      answered: () => undefined,
      failed: () => undefined, // who waits for the end hears of it
      event: (value) => listener(value as Uint8Array), // what the desk answers a follower
    });
  }

  #open(method: string, segment: string, dot: LocalDot, taker: CallTaker): () => void {
    const link = this.#seated.link(method);
    const request = link.call(method, [segment, dot.laneName, dot.counter], taker);
    return () => link.endCall(request);
  }
}

/** The store as far as handles and Queues need it, each call by its name over the rings. */
function remoteStore(seated: Seated): ReachStore {
  const calls = STORE_CALLS.map((method) => [method, (...args: readonly unknown[]) => seated.ask(method, args)]);
  return Object.fromEntries(calls) as ReachStore; // one function for each of its methods
}

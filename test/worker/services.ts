/** What a call desk is given in tests: it notes what is asked, and answers as a test says. */
import type { DeskServices } from "@millrace/core/internal";

type Submission = Parameters<DeskServices["producer"]["push"]>[1];

/** One who waits, as the desk makes it. */
export interface WaiterAtDesk {
  settled(ending: { state: "completed" | "failed"; attempt: number; value: Uint8Array | null }): void;
  failed(error: Error): void;
}

/** Services of a Foreman that has no store. */
export class FakeServices implements DeskServices {
  /** Queue, priority, due and body of what was enqueued, in order. */
  readonly enqueued: { queue: string; priority: number; due: unknown; body: Uint8Array }[] = [];
  /** Names and arguments of store calls. */
  readonly calls: unknown[][] = [];
  /** Open waits and followings by id. */
  readonly waits = new Map<string, Set<WaiterAtDesk>>();
  readonly followers = new Map<string, Set<(value: Uint8Array) => void>>();
  /** Answers of store calls by method. */
  readonly answers: Record<string, unknown> = {};
  found: unknown = "missing";
  /** Why submissions are refused, if they are. */
  refusal: Error | null = null;
  /** Called with each id that was made. */
  accepted: (id: string, counter: number) => void = () => undefined;

  readonly producer: DeskServices["producer"] = {
    push: (queue, submission) => this.#take(submission, { queue, priority: 0, due: null }),
    pushFull: (submission) => this.#take(submission, submission),
  };

  readonly finder = {
    find: async (segment: string, { laneName, counter }: { laneName: string; counter: number }) => {
      this.calls.push(["find", segment, laneName, counter]);
      return this.found as never;
    },
  };

  readonly waiters: DeskServices["waiters"] = {
    wait: (segment, dot, waiter) => add(this.waits, `${segment} ${dot.laneName} ${dot.counter}`, waiter),
    follow: (segment, dot, listener) => add(this.followers, `${segment} ${dot.laneName} ${dot.counter}`, listener),
  };

  async call<Answer>(call: (store: never) => Promise<Answer>): Promise<Answer> {
    const answer = (method: string) => {
      return async (...args: unknown[]) => {
        this.calls.push([method, ...args]);
        const given = this.answers[method];
        if (given instanceof Error) throw given;
        return given;
      };
    };
    return await call(new Proxy({}, { get: (_, method) => answer(String(method)) }) as never);
  }

  #take(submission: Submission, how: { queue: string; priority: number; due: unknown }): void {
    const { queue, priority, due } = how;
    const counter = this.enqueued.push({ queue, priority, due, body: submission.body });
    setImmediate(() => {
      if (this.refusal !== null) return submission.refused(this.refusal);
      submission.accepted("lane.01", counter, "segment");
      this.accepted(`segment lane.01 ${counter}`, counter);
    });
  }
}

function add<Value>(sets: Map<string, Set<Value>>, key: string, value: Value): () => void {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set.add(value));
  return () => {
    set.delete(value);
    if (set.size === 0) sets.delete(key);
  };
}

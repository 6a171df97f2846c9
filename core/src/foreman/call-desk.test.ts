/** Calls from a Worker and their answers: both halves over a wire that is a list. */
import { describe, expect, it } from "vitest";
import { encode } from "../base/codec.js";
import { createError } from "../base/errors.js";
import type { FullSubmission, Submission } from "../queue/submission.js";
import type { Waiter } from "../queue/waiters.js";
import { CallLink } from "../worker/call-link.js";
import type { Wire } from "../worker/wire.js";
import { type Asker, CallDesk, type DeskServices } from "./call-desk.js";

/** A wire that hands each record on at once, from memory that is written again afterwards. */
class DirectWire implements Wire {
  readonly target = Buffer.alloc(1 << 20);
  deliver: (source: Buffer, offset: number, length: number) => void = () => undefined;

  begin(): number {
    return 16;
  }

  end(bytes: number): void {
    this.deliver(this.target, 16, bytes);
    this.target.fill(0xff);
  }
}

function setUp(services: Partial<DeskServices> = {}) {
  const wire = new DirectWire();
  const link = new CallLink(wire);
  const desk = new CallDesk({
    producer: { push: () => undefined, pushFull: () => undefined },
    finder: { find: async () => "missing" },
    waiters: { wait: () => () => undefined, follow: () => () => undefined },
    call: (call) => call({} as never),
    ...services,
  });
  let published = 0;
  const asker: Asker = {
    answer: (how, request, value) => link.take(how, request, value),
    publish: () => {
      published++;
    },
  };
  wire.deliver = (source, offset, length) => desk.take(asker, source, offset, length);
  return { wire, link, desk, asker, published: () => published };
}

function ask(link: CallLink, method: string, ...args: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    link.call(method, args, { answered: resolve, failed: reject });
  });
}

describe("a call from a Worker", () => {
  it("is answered from the App's own services, its answers published together", async () => {
    const finds: unknown[] = [];
    const { link, published } = setUp({
      finder: {
        find: async (segment, dot) => {
          finds.push([segment, dot]);
          return "pruned";
        },
      },
    });
    expect(await Promise.all([ask(link, "find", "s", "l.01", 7), ask(link, "find", "s", "l.01", 8)])).toEqual([
      "pruned",
      "pruned",
    ]);
    expect(finds).toEqual([
      ["s", { laneName: "l.01", counter: 7 }],
      ["s", { laneName: "l.01", counter: 8 }],
    ]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(published()).toBe(1);
    expect(link.pending).toBe(0);
  });

  it("reaches those methods of the store that are meant for it, and no others", async () => {
    const store = { segments: async () => ["a"], close: async () => "closed", claim: async () => "claimed" };
    const { link } = setUp({ call: (call) => call(store as never) });
    expect(await ask(link, "segments")).toEqual(["a"]);
    for (const method of ["close", "claim", "constructor", "__proto__", ""]) {
      await expect(ask(link, method)).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
    }
  });

  it("fails as the service fails, and also when the answer cannot be carried", async () => {
    const error = createError("MR_STORE_UNAVAILABLE", { store: "x", reason: "away" });
    const store = { segments: () => Promise.reject(error), counts: async () => () => 1 };
    const { link } = setUp({ call: (call) => call(store as never) });
    await expect(ask(link, "segments")).rejects.toMatchObject({ code: "MR_STORE_UNAVAILABLE", retryable: true });
    await expect(ask(link, "counts", "s")).rejects.toMatchObject({ code: "MR_NOT_SERIALISABLE" });
  });
});

describe("an enqueue from a Worker", () => {
  it("keeps its bytes when the ring's memory is written again", async () => {
    const fast: [string, Submission][] = [];
    const full: FullSubmission[] = [];
    const { link } = setUp({
      producer: { push: (queue, one) => fast.push([queue, one]), pushFull: (one) => full.push(one) },
    });
    const answers: unknown[] = [];
    const taker = {
      accepted: (...dot: unknown[]) => answers.push(dot),
      refused: (error: Error) => answers.push(error.message),
    };
    link.enqueue("q", 0, null, encode("body"), taker);
    link.enqueue("q.2", -5, { in: 1.5 }, encode(1), taker);
    link.enqueue("q.3", 0, { at: 9 }, encode(2), taker);
    expect(fast.map(([queue, { body }]) => [queue, Buffer.from(body)])).toEqual([["q", encode("body")]]);
    expect(full.map(({ queue, priority, due }) => ({ queue, priority, due }))).toEqual([
      { queue: "q.2", priority: -5, due: { in: 1.5 } },
      { queue: "q.3", priority: 0, due: { at: 9 } },
    ]);
    fast[0]?.[1].accepted("l.01", 4, "s");
    full[1]?.refused(createError("MR_QUEUE_FULL", { queue: "q.3", max: 1 }));
    expect(answers).toEqual([["l.01", 4, "s"], "Queue `q.3` holds its maximum of 1 Operations"]);
    expect(link.pending).toBe(1);
  });

  it("carries ties, and tells when another Operation was kept", () => {
    const full: FullSubmission[] = [];
    const { link } = setUp({ producer: { push: () => undefined, pushFull: (one) => full.push(one) } });
    const replaced = { retainMs: 5, value: new Uint8Array([1, 2]) };
    const key = { name: "k", mode: "replace", windowMs: null, digest: new Uint8Array(8), replaced } as const;
    const ties = { meet: "step", key, line: "l", gates: [{ name: "g", slots: 2 }] };
    const answers: unknown[] = [];
    const taker = { accepted: (...dot: unknown[]) => answers.push(dot), refused: () => undefined };
    link.enqueue("q", 0, null, encode("body"), taker, ties);
    const [submission] = full;
    expect(submission).toMatchObject({ queue: "q", priority: 0, due: null });
    expect(submission?.ties).toMatchObject({
      meet: "step",
      line: "l",
      gates: ties.gates,
      key: { name: "k", windowMs: null },
    });
    expect(Buffer.from(submission?.ties?.key?.replaced?.value ?? [])).toEqual(Buffer.from([1, 2]));
    expect(Buffer.from(submission?.body ?? [])).toEqual(encode("body"));
    submission?.accepted("l.00", 7, "keyed-3", true);
    expect(answers).toEqual([["l.00", 7, "keyed-3", true]]);
  });
});

describe("a wait from a Worker", () => {
  function waiting() {
    const waits = new Set<Waiter>();
    const follows = new Set<(value: Uint8Array) => void>();
    const parts = setUp({
      waiters: {
        wait: (_segment, _dot, waiter) => {
          waits.add(waiter);
          return () => void waits.delete(waiter);
        },
        follow: (_segment, _dot, listener) => {
          follows.add(listener);
          return () => void follows.delete(listener);
        },
      },
    });
    return { ...parts, waits, follows };
  }

  it("hears of progress and of the end, once", async () => {
    const { link, desk, waits, follows } = waiting();
    const notes: unknown[] = [];
    const taker = { answered: () => undefined, failed: () => undefined, event: (note: unknown) => notes.push(note) };
    const following = link.call("follow", ["s", "l.01", 1], taker);
    const ended = ask(link, "wait", "s", "l.01", 1);
    for (const follow of follows) for (const byte of [1, 2]) follow(new Uint8Array([byte]));
    for (const waiter of waits) waiter.settled({ state: "completed", attempt: 1, value: new Uint8Array([9]) });
    expect(await ended).toEqual({ state: "completed", attempt: 1, value: new Uint8Array([9]) });
    expect(notes).toEqual([new Uint8Array([1]), new Uint8Array([2])]);
    link.endCall(following);
    link.endCall(following);
    expect(desk.open).toBe(0);
    expect(follows.size).toBe(0);
  });

  it("ends with its caller's patience, and with its Worker", () => {
    const { link, desk, asker, waits } = waiting();
    const taker = { answered: () => undefined, failed: () => undefined };
    const first = link.call("wait", ["s", "l.01", 1], taker);
    link.call("wait", ["s", "l.01", 2], taker);
    link.call("wait", ["s", "l.01", 3], taker);
    expect([desk.open, waits.size]).toEqual([3, 3]);
    link.endCall(first);
    expect([desk.open, waits.size]).toEqual([2, 2]);
    const left = [...waits];
    desk.drop(asker);
    expect([desk.open, waits.size]).toEqual([0, 0]);
    for (const waiter of left) waiter.failed(new Error("nobody hears this"));
    expect(link.pending).toBe(2);
  });
});

/**
 * The client under chaos: enqueues at a steady rate, waits for every result, and writes down what it was told.
 *
 * It lives in the harness, which nobody kills: what it was acknowledged is the measure of what may not be lost.
 */
import { App, type Handle } from "@millrace/core";
import type { Dice } from "../../sim/dice.js";
import { hashOf } from "./hash.js";
import { type Journal, sharedMs } from "./journal.js";
import type { Answer, Task } from "./steps.js";

const tickMs = 20;

/** How much, and of what. */
export interface LoadOptions {
  readonly store: string;
  readonly app: string;
  readonly journal: Journal;
  readonly dice: Dice;
  /** Operations a second. */
  readonly rate: number;
  /** How long one takes: between these. */
  readonly ms: readonly [number, number];
}

/** The Steps there are to enqueue. */
export type StepName = "work" | "hold" | "poison";

/** How one Operation is enqueued. */
export interface EnqueueMore {
  readonly delayMs?: number;
  readonly priority?: number;
}

/** Name of the client's Segment: where all of a run's work lies. */
export const loadSegment = "load";

/** Enqueues and waits. */
export class Load {
  readonly app: App;
  readonly #options: LoadOptions;
  readonly #steps;
  readonly #open = new Map<string, Handle<Answer>>();
  #failures: unknown[] = [];
  #n = 0;
  #owed = 0;
  #pending = 0;
  #timer: NodeJS.Timeout | null = null;
  #lastMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    // Outages are part of what is played: the client waits for as long as they take.
    this.app = new App({ id: options.app, store: options.store, nodeId: loadSegment, network: { timeout: "30m" } });
    const never = async (_: Task): Promise<Answer> => Promise.reject(new Error("the client runs nothing"));
    this.#steps = {
      work: this.app.step("work", { retries: 0 }, never),
      hold: this.app.step("hold", { retries: 0, timeout: "none" }, never),
      poison: this.app.step("poison", { retries: 0 }, never),
    };
  }

  /** Acknowledged Operations whose end is not known here yet. */
  get open(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** Enqueues from now on. */
  start(): void {
    this.#lastMs = sharedMs();
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Enqueues no more. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Enqueues one Operation; its id. */
  async enqueue(step: StepName, ms: number, more: EnqueueMore = {}): Promise<string> {
    const n = ++this.#n;
    const text = `${n} ${this.#options.dice.word()}`;
    this.#pending++;
    try {
      const sentMs = sharedMs();
      const { delayMs, priority } = more;
      const handle = await this.#steps[step].enqueue(
        { n, ms, text },
        { ...(delayMs === undefined ? {} : { delay: delayMs }), ...(priority === undefined ? {} : { priority }) },
      );
      const { id } = handle;
      const { journal } = this.#options;
      journal.write({
        ...{ kind: "enqueue", id, hash: hashOf(text), answer: "acknowledged" },
        ...{ atMs: delayMs === undefined ? sharedMs() : sentMs, ...(delayMs === undefined ? {} : { delayMs }) },
      });
      this.#open.set(id, handle);
      void handle.result().then(
        ({ token }) => {
          journal.write({ kind: "result", id, token, atMs: sharedMs() });
          this.#open.delete(id);
        },
        () => this.#open.delete(id), // how it ended is read from the store
      );
      return id;
    } finally {
      this.#pending--;
    }
  }

  /** Resolves when all that was enqueued has ended; throws when an enqueue was refused. False: `patienceMs` was over. */
  async settled(patienceMs: number): Promise<boolean> {
    const giveUpAt = sharedMs() + patienceMs;
    while (this.#pending > 0 || this.#open.size > 0) {
      if (sharedMs() > giveUpAt) break;
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
    if (this.#failures.length > 0)
      throw new Error(`${this.#failures.length} enqueues failed`, { cause: this.#failures[0] });
    return this.#open.size === 0;
  }

  /** Lets go of the store. */
  async close(): Promise<void> {
    this.stop();
    await this.app.close();
  }

  #tick(): void {
    const { rate, ms, dice } = this.#options;
    const nowMs = sharedMs();
    this.#owed += ((nowMs - this.#lastMs) * rate) / 1_000;
    this.#lastMs = nowMs;
    for (; this.#owed >= 1; this.#owed--) {
      const takesMs = dice.between(ms[0], ms[1]);
      this.enqueue("work", takesMs).catch((error: unknown) => this.#failures.push(error));
    }
  }
}

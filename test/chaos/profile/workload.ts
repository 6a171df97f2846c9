/**
 * The client of a profile: enqueues errands of every kind at a steady rate, races for keys, cancels in storms, pauses a
 * Queue, lowers a limit, and writes down what it asked for and what it was told.
 */
import type { App, EnqueueOptions, Handle } from "@millrace/core";
import { isMillraceError } from "@millrace/core";
import type { RunEvent } from "../../checker/run-history.js";
import type { Dice } from "../../sim/dice.js";
import { sharedMs } from "../foremen/journal.js";
import { CAPPED_KEYS, type declareErrands, digestOf, type Errand, type ErrandStep, ODDITIES } from "./errands.js";

/** What a client needs. */
export interface WorkloadOptions {
  readonly app: App;
  readonly steps: ReturnType<typeof declareErrands>;
  readonly note: (event: RunEvent) => void;
  readonly dice: Dice;
  /** Errands a second, about. */
  readonly rate: number;
  /** Some work takes longer than this. Milliseconds. */
  readonly leaseMs: number;
  /** How many Operations kill whoever runs them: each costs several Foremen, which come back after a Lease. */
  readonly poison: number;
  /** A text of this client alone: no two clients send the same errand. */
  readonly name: string;
}

const tickMs = 20;
/** Codes that say for sure: it did not happen. */
const REFUSALS: ReadonlySet<string> = new Set(["MR_STORE_FULL", "MR_QUOTA"]);
const lines = 5;
const racers = 10;
const batchOf = 10;
const stormOf = 8;
const baitOf = 8;
const gateEveryMs = 6_000;
const gateFirstMs = 2_000;
const gateForMs = 1_500;
const narrowEveryMs = 4_000;
const narrowForMs = 1_500;
const narrowOf = 10;
/** How often each kind of work comes up, against each other. */
const weights = {
  plain: 300,
  batch: 20,
  urgent: 40,
  delayed: 60,
  flaky: 60,
  line: 90,
  capped: 60,
  paced: 40,
  race: 6,
  storm: 4,
  long: 5,
  gate: 40,
  narrow: 40,
  stumble: 1,
  poison: 1,
  martyr: 1,
};

/** How one enqueue came back. */
type Asked = { readonly handle: Handle<void>; readonly tookMs: number } | null;

/** Enqueues and waits. */
export class Workload {
  /** How long enqueues took, and work from its acknowledgement to its end. Milliseconds. */
  readonly enqueueMs: number[] = [];
  readonly wholeMs: number[] = [];
  /** Enqueues that failed, by code. */
  readonly errors = new Map<string, number>();
  /** What kinds of work came up. */
  readonly made = new Map<string, number>();
  readonly #options: WorkloadOptions;
  readonly #lines = new Map<number, { name: string; place: number; turn: Promise<void> }>();
  readonly #busy = new Set<Promise<unknown>>();
  #n = 0;
  #owed = 0;
  #lastMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #gateMs = 0;
  #isGated = false;
  #narrowMs = 0;
  #isNarrow = false;
  /** Whether every change of the limit was acknowledged: else one may still come into force. */
  #isNarrowKnown = true;
  /** Since the last enqueue that was acknowledged. */
  #wasRefused = false;
  #first: (keyof typeof weights)[] = Object.keys(weights) as (keyof typeof weights)[]; // its own keys

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  /** Acknowledged work whose end is not known here yet, and enqueues without an answer. */
  get open(): number {
    return this.#busy.size;
  }

  start(): void {
    this.#lastMs = sharedMs();
    this.#gateMs = this.#lastMs - gateEveryMs + gateFirstMs;
    this.#narrowMs = this.#gateMs;
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Resolves when all it sent has ended, or when patience is over: false. */
  async settled(patienceMs: number): Promise<boolean> {
    const giveUpAt = sharedMs() + patienceMs;
    while (this.#busy.size > 0 && sharedMs() < giveUpAt) await pause(tickMs);
    return this.#busy.size === 0;
  }

  /** Sends one of a kind: what a tick does, by chance. */
  send(kind: keyof typeof weights): void {
    const { dice, leaseMs, poison } = this.#options;
    this.made.set(kind, (this.made.get(kind) ?? 0) + 1);
    const ms = dice.between(2, 40);
    switch (kind) {
      case "batch":
        return this.#do(this.#batch());
      case "urgent":
        return this.#do(this.#ask("plain", { ms }, { priority: dice.between(-10, 10) }));
      case "delayed":
        return this.#do(this.#ask("plain", { ms }, { delay: dice.between(100, 3_000) }));
      case "flaky":
        return this.#do(this.#ask("flaky", { ms, fails: dice.between(0, 3) }));
      case "line":
        return this.#inLine(dice.between(1, lines), ms, dice.chance(20) ? 1 : 0);
      case "capped":
        return this.#do(this.#ask("capped", { ms, key: dice.pick(CAPPED_KEYS) }));
      case "race":
        return this.#do(this.#race(dice.between(50, 300)));
      case "storm":
        return this.#do(this.#storm());
      case "long":
        // Longer than a Lease: such a one is there to be told when it is lost.
        return this.#do(this.#ask("slow", { ms: dice.between(leaseMs * 0.3, leaseMs * 2) }));
      case "poison":
        if ((this.made.get(kind) ?? 0) > poison) return;
        return this.#do(this.#ask(kind, { ms }));
      case "martyr":
        if ((this.made.get(kind) ?? 0) > poison) return;
        return this.#do(this.#martyr());
      default:
        return this.#do(this.#ask(kind, { ms }));
    }
  }

  /** Acknowledged now, due in so many milliseconds, and longer than a Lease. */
  async due(inMs: number): Promise<void> {
    await Promise.all(Array.from({ length: baitOf }, () => this.#bait({ delay: inMs })));
  }

  /** Ready now, and longer than a Lease. */
  now(): void {
    for (let i = 0; i < baitOf; i++) this.#do(this.#bait());
  }

  async #bait(options: EnqueueOptions = {}): Promise<void> {
    const { dice, leaseMs } = this.#options;
    await this.#ask("slow", { ms: dice.between(leaseMs, leaseMs * 2) }, options);
  }

  #tick(): void {
    const { rate, dice } = this.#options;
    const nowMs = sharedMs();
    this.#owed = Math.min(rate, this.#owed + ((nowMs - this.#lastMs) * rate) / 1_000);
    this.#lastMs = nowMs;
    // Every kind comes up once at first, so that a short run has all of them.
    for (; this.#owed >= 1; this.#owed--) this.send(this.#first.pop() ?? dice.weighted(weights));
    if (nowMs - this.#gateMs > gateEveryMs && !this.#isGated) {
      this.#gateMs = nowMs;
      this.#do(this.#pauseGate());
    }
    if (nowMs - this.#narrowMs > narrowEveryMs && !this.#isNarrow) {
      this.#narrowMs = nowMs;
      this.#do(this.#lowerLimit());
    }
  }

  /** Sends one errand; null: it was refused, or nobody knows. */
  async #ask(step: ErrandStep, more: Omit<Errand, "n" | "text">, options: EnqueueOptions = {}): Promise<Asked> {
    const { steps, note } = this.#options;
    const errand = this.#errand(more);
    const hash = digestOf(errand);
    const atMs = sharedMs();
    note({ kind: "ask", hash, atMs, ...(step === "once" ? { isRacer: true } : {}) });
    try {
      const handle = await steps[step].enqueue(errand, options);
      const tookMs = sharedMs() - atMs;
      this.enqueueMs.push(tookMs);
      if (this.#wasRefused) note({ kind: "glimpse", what: "full and recovered" });
      this.#wasRefused = false;
      if (handle.receipt.deduplicated) note({ kind: "glimpse", what: "dedupe hit" });
      else this.#acknowledged(handle, hash, options);
      return { handle, tookMs };
    } catch (error) {
      this.#failed(error, hash);
      return null;
    }
  }

  #acknowledged(handle: Handle<void>, hash: string, { delay = 0 }: EnqueueOptions = {}): void {
    const { note } = this.#options;
    const atMs = sharedMs();
    const delayMs = Number(delay);
    note({ kind: "enqueue", id: handle.id, hash, answer: "acknowledged", atMs, ...(delayMs > 0 ? { delayMs } : {}) });
    const ended = handle.wait().then(
      ({ state }) => {
        note({ kind: "told", id: handle.id, state, atMs: sharedMs() });
        if (delayMs === 0) this.wholeMs.push(sharedMs() - atMs);
      },
      (error: unknown) => this.#failed(error),
    );
    this.#do(ended);
  }

  async #batch(): Promise<void> {
    const { app, steps, note, dice } = this.#options;
    const errands = Array.from({ length: batchOf }, () => this.#errand({ ms: dice.between(2, 20) }));
    const atMs = sharedMs();
    for (const errand of errands) note({ kind: "ask", hash: digestOf(errand), atMs });
    const { handles } = await app.enqueueMany(steps.plain, errands);
    for (const [i, handle] of handles.entries()) {
      const errand = errands[i];
      if (errand === undefined) continue;
      if (handle instanceof Error) this.#failed(handle, digestOf(errand));
      else this.#acknowledged(handle, digestOf(errand));
    }
  }

  /** The next of a line is asked for when the one before was acknowledged: only then their order is known. */
  #inLine(which: number, ms: number, fails: number): void {
    const line = this.#lines.get(which) ?? { name: this.#lineName(which), place: 0, turn: Promise.resolve() };
    this.#lines.set(which, line);
    line.turn = line.turn.then(async () => {
      const asked = await this.#ask("line", { ms, fails, key: line.name });
      if (asked === null) {
        // Its place is not known: the line ends here, another begins.
        this.#lines.delete(which);
        return;
      }
      line.place++;
      this.#options.note({ kind: "terms", id: asked.handle.id, line: line.name, place: line.place });
    });
    this.#do(line.turn);
  }

  /** Many ask for one key at once: one of them is it. */
  async #race(ms: number): Promise<void> {
    const { note, name } = this.#options;
    const key = `${name}-race-${++this.#n}`;
    const asked = await Promise.all(Array.from({ length: racers }, () => this.#ask("once", { ms, key })));
    for (const one of asked)
      if (one !== null && !one.handle.receipt.deduplicated) note({ kind: "terms", id: one.handle.id, userKey: key });
  }

  /** Some that take long, cancelled again at once or a little later. */
  async #storm(): Promise<void> {
    const { note, dice } = this.#options;
    const waits = Array.from({ length: stormOf }, () => dice.between(0, 400));
    await Promise.all(
      waits.map(async (waitMs) => {
        const asked = await this.#ask("slow", { ms: dice.between(50, 600) });
        if (asked === null) return;
        const { handle } = asked;
        await pause(waitMs);
        note({ kind: "cancel", id: handle.id, answer: "unknown", atMs: sharedMs() });
        try {
          const answer = await handle.cancel();
          note({ kind: "cancel", id: handle.id, answer, atMs: sharedMs() });
          if (answer === "already_terminal") note({ kind: "glimpse", what: "cancel raced outcome" });
          if (answer === "requested") note({ kind: "glimpse", what: "cancel of running" });
        } catch (error) {
          this.#failed(error);
        }
      }),
    );
  }

  /** One that is cancelled while it runs, and takes its Foreman with it when it is told so. */
  async #martyr(): Promise<void> {
    const { note } = this.#options;
    const asked = await this.#ask("martyr", { ms: 60_000 });
    if (asked === null) return;
    const { handle } = asked;
    const giveUpAt = sharedMs() + 60_000;
    while ((await handle.status()).state !== "running" && sharedMs() < giveUpAt) await pause(100);
    note({ kind: "cancel", id: handle.id, answer: "unknown", atMs: sharedMs() });
    const answer = await handle.cancel();
    note({ kind: "cancel", id: handle.id, answer, atMs: sharedMs() });
  }

  async #pauseGate(): Promise<void> {
    const { app, note } = this.#options;
    this.#isGated = true;
    const queue = app.queue("gate");
    try {
      await queue.pause();
      const fromUs = (Date.now() + 1) * 1_000;
      for (let i = 0; i < 5; i++) this.send("gate");
      await pause(gateForMs);
      const untilUs = Date.now() * 1_000;
      await queue.resume();
      note({ kind: "paused", step: "gate", fromUs, untilUs });
    } catch (error) {
      this.#failed(error);
      await queue.resume();
    } finally {
      this.#isGated = false;
    }
  }

  /** Lowers a live limit for a while, and takes it back. */
  async #lowerLimit(): Promise<void> {
    const { app, note, dice } = this.#options;
    this.#isNarrow = true;
    const most = dice.between(1, 3);
    try {
      await app.limits.set("narrow", { concurrency: most });
      const atMs = sharedMs();
      const fromUs = (Date.now() + 1) * 1_000;
      for (let i = 0; i < narrowOf; i++) this.send("narrow");
      await pause(narrowForMs);
      const untilUs = Date.now() * 1_000;
      if (this.#isNarrowKnown) note({ kind: "narrowed", cap: "narrow", most, fromUs, untilUs, atMs });
      await app.limits.reset("narrow");
      this.#isNarrowKnown = true;
    } catch (error) {
      this.#isNarrowKnown = false;
      this.#failed(error);
    } finally {
      this.#isNarrow = false;
    }
  }

  #errand(more: Omit<Errand, "n" | "text">): Errand {
    const { name, dice } = this.#options;
    const n = ++this.#n;
    return { n, text: `${name}-${dice.word()}`, ...more, odd: ODDITIES[n % ODDITIES.length] };
  }

  #lineName(which: number): string {
    return `${this.#options.name}-${which}-${++this.#n}`;
  }

  /** `hash`: of what was to be enqueued, if it was that. */
  #failed(error: unknown, hash: string | null = null): void {
    const code = isMillraceError(error) ? error.code : String(error);
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    if (hash === null || !REFUSALS.has(code)) return;
    this.#options.note({ kind: "refused", hash, code, atMs: sharedMs() });
    this.#wasRefused = true;
  }

  #do(work: Promise<unknown>): void {
    const done = work.catch((error: unknown) => this.#failed(error));
    this.#busy.add(done);
    void done.then(() => this.#busy.delete(done));
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

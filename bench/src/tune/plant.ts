/**
 * A Foreman in virtual time (elsewhere: discrete-event simulator): Queues, Workers, slots, event loops and cores. Counts
 * every Operation; nothing is averaged.
 *
 * A blocking Worker runs one Operation at a time: compute, then wait. An async Worker runs up to C at once: half of the
 * computing on its loop, the wait beside it, the other half on its loop; a loop does one piece at a time, first come
 * first served. All computing shares the cores: with more busy threads than cores, each goes slower alike. A Worker that
 * changes its kind first ends what it has, then takes as long as a thread takes to start.
 *
 * Once a second the controller gets the sample a real Foreman would have made, and may ask for another mix.
 */
import { type Mix, type MixSample, NOBODY, type PoolSample } from "@millrace/core/internal";
import { Heap } from "./heap.js";
import type { Trace } from "./trace.js";

/** What one sample may lead to: the mix to move to, or null. */
export interface Controller {
  readonly start: Mix;
  /** Called each second of virtual time. */
  second(sample: MixSample, nowMs: number): Mix | null;
  /** Whether a mix is taken at once, without conversion: the oracle's privilege. */
  readonly isInstant: boolean;
}

/** The machine the Workers run on. */
export interface PlantSettings {
  /** Time on a core to hand one Operation over and take its outcome back. */
  readonly dispatchMs: number;
  /** Time a thread takes to start. */
  readonly startMs: number;
  /** A Worker that does not come free in this time is let go on, and another one is picked. */
  readonly pickAgainMs: number;
}

/** What came of it. */
export interface PlantResult {
  readonly arrived: PerKind;
  readonly completed: PerKind;
  /** 99th percentile of the time between arrival and start in ms; work that never started counts with its age. */
  readonly p99AgeMs: PerKind;
  /** Operations that started within the time that counts as on time. */
  readonly onTime: PerKind;
  /** The same from arrival to completion. */
  readonly p99SojournMs: PerKind;
  /** Mix at the end. */
  readonly mix: Mix;
  /** P and A·C at each second. */
  readonly course: readonly { readonly blocking: number; readonly places: number; readonly backlog: PerKind }[];
}

interface PerKind {
  readonly blocking: number;
  readonly async: number;
}

const SECOND_MS = 1_000;

/** An Operation that starts within this time is on time. */
export const ON_TIME_MS = 10_000;

interface Worker {
  isBlocking: boolean;
  /** Takes nothing new: it is to change its kind. */
  isLeaving: boolean;
  leavingSinceMs: number;
  /** Another one is there in its place; it only ends what it has. */
  isReplaced: boolean;
  /** Not there: its thread is starting. */
  isStarting: boolean;
  load: number;
  /** Async: pieces of work for the loop, and whether it is at one. */
  readonly loop: Fifo;
  isLoopBusy: boolean;
}

/** Numbers first in, first out. */
class Fifo {
  #items: number[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: number): void {
    this.#items.push(item);
  }

  /** The first; -1 when empty. */
  get first(): number {
    return this.#items[this.#head] ?? -1;
  }

  shift(): number {
    const item = this.first;
    if (item < 0) return item;
    this.#head++;
    if (this.#head > 4_096 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Plays a trace against a controller. */
export function play(trace: Trace, controller: Controller, settings: PlantSettings): PlantResult {
  return new Plant(trace, controller, settings).run();
}

class Plant {
  readonly #trace: Trace;
  readonly #controller: Controller;
  readonly #settings: PlantSettings;
  readonly #queues = { blocking: new Fifo(), async: new Fifo() };
  readonly #workers: Worker[] = [];
  readonly #workerOf: Int32Array;
  readonly #startedMs: Float64Array;
  readonly #endedMs: Float64Array;
  /** Which half of its computing an async Operation is at. */
  readonly #half: Uint8Array;
  /** Ends of waits (Operations) and of thread starts (-1 - Worker). */
  readonly #timers = new Heap();
  /** Pieces of computing by the virtual time at which they end: time that runs slower when cores are short. */
  readonly #cpu = new Heap();
  readonly #course: { blocking: number; places: number; backlog: PerKind }[] = [];
  #computing = 0;
  #cpuTime = 0;
  #nowMs = 0;
  #arrived = 0;
  #slots: number;
  #asked: Mix;
  #busyLoops = 0;
  #loopMs = 0;
  #counts = newCounts();

  constructor(trace: Trace, controller: Controller, settings: PlantSettings) {
    this.#trace = trace;
    this.#controller = controller;
    this.#settings = settings;
    this.#workerOf = new Int32Array(trace.count).fill(-1);
    this.#startedMs = new Float64Array(trace.count).fill(Number.NaN);
    this.#endedMs = new Float64Array(trace.count).fill(Number.NaN);
    this.#half = new Uint8Array(trace.count);
    this.#asked = controller.start;
    this.#slots = controller.start.slots;
    const { blocking, async } = controller.start;
    for (let index = 0; index < blocking + async; index++) this.#workers.push(newWorker(index < blocking));
  }

  run(): PlantResult {
    const trace = this.#trace;
    let tickMs = SECOND_MS;
    while (tickMs <= trace.lengthMs) {
      const arrivalMs = trace.atMs[this.#arrived] ?? Number.POSITIVE_INFINITY;
      const cpuMs = this.#nextCpuMs();
      const nextMs = Math.min(arrivalMs, cpuMs, this.#timers.key, tickMs);
      this.#passTo(nextMs);
      if (nextMs === arrivalMs) this.#arrive();
      else if (nextMs === cpuMs) this.#endPiece();
      else if (nextMs === this.#timers.key) this.#fire();
      else {
        this.#tick();
        tickMs += SECOND_MS;
      }
    }
    return this.#result();
  }

  #nextCpuMs(): number {
    if (this.#computing === 0) return Number.POSITIVE_INFINITY;
    return this.#nowMs + Math.max(0, this.#cpu.key - this.#cpuTime) / this.#speed;
  }

  get #speed(): number {
    return Math.min(1, this.#trace.cores / this.#computing);
  }

  #passTo(nowMs: number): void {
    const passedMs = nowMs - this.#nowMs;
    if (this.#computing > 0) this.#cpuTime += passedMs * this.#speed;
    this.#loopMs += passedMs * this.#busyLoops;
    this.#nowMs = nowMs;
  }

  #arrive(): void {
    const op = this.#arrived++;
    const isBlocking = this.#trace.isBlocking[op] === 1;
    const counts = isBlocking ? this.#counts.blocking : this.#counts.async;
    counts.enqueued++;
    const queue = isBlocking ? this.#queues.blocking : this.#queues.async;
    queue.push(op);
    this.#dispatch(isBlocking);
  }

  /** Gives what waits to who has room. */
  #dispatch(isBlocking: boolean): void {
    const queue = isBlocking ? this.#queues.blocking : this.#queues.async;
    while (queue.size > 0) {
      const index = this.#pick(isBlocking);
      if (index < 0) return;
      const op = queue.shift();
      const worker = this.#workers[index];
      if (worker === undefined) return;
      worker.load++;
      this.#workerOf[op] = index;
      this.#startedMs[op] = this.#nowMs;
      (isBlocking ? this.#counts.blocking : this.#counts.async).dequeued++;
      const cpuMs = this.#trace.cpuMs[op] ?? 0;
      if (isBlocking) this.#compute(op, cpuMs + this.#settings.dispatchMs);
      else this.#toLoop(worker, op);
    }
  }

  /** The Worker with the most free places; -1 when there is none. */
  #pick(isBlocking: boolean): number {
    const slots = isBlocking ? 1 : this.#slots;
    let best = -1;
    let bestLoad = slots;
    for (let index = 0; index < this.#workers.length; index++) {
      const worker = this.#workers[index];
      if (worker === undefined || worker.isBlocking !== isBlocking || worker.isLeaving || worker.isStarting) continue;
      if (worker.load >= bestLoad) continue;
      best = index;
      bestLoad = worker.load;
    }
    return best;
  }

  #compute(op: number, ms: number): void {
    this.#computing++;
    this.#cpu.push(this.#cpuTime + ms, op);
  }

  #toLoop(worker: Worker, op: number): void {
    worker.loop.push(op);
    if (!worker.isLoopBusy) this.#turnLoop(worker);
  }

  #turnLoop(worker: Worker): void {
    const op = worker.loop.shift();
    const isBusy = op >= 0;
    if (isBusy !== worker.isLoopBusy) this.#busyLoops += isBusy ? 1 : -1;
    worker.isLoopBusy = isBusy;
    if (isBusy) this.#compute(op, ((this.#trace.cpuMs[op] ?? 0) + this.#settings.dispatchMs) / 2);
  }

  /** A piece of computing is done. */
  #endPiece(): void {
    const op = this.#cpu.pop();
    this.#computing--;
    if (this.#computing === 0) this.#cpuTime = 0;
    if (this.#computing === 0 && this.#cpu.size > 0) throw new Error("computing without a piece");
    const waitMs = this.#trace.waitMs[op] ?? 0;
    const worker = this.#workers[this.#workerOf[op] ?? -1];
    if (worker === undefined) throw new Error(`Operation ${op} has no Worker`);
    if (worker.isBlocking) {
      if (waitMs > 0) this.#timers.push(this.#nowMs + waitMs, op);
      else this.#end(op, worker);
      return;
    }
    const isFirst = this.#half[op] === 0;
    this.#half[op] = 1;
    if (isFirst) this.#timers.push(this.#nowMs + waitMs, op);
    this.#turnLoop(worker);
    if (!isFirst) this.#end(op, worker);
  }

  #fire(): void {
    const thing = this.#timers.pop();
    if (thing < 0) {
      const worker = this.#workers[-1 - thing];
      if (worker !== undefined) {
        worker.isStarting = false;
        this.#dispatch(worker.isBlocking);
      }
      return;
    }
    const worker = this.#workers[this.#workerOf[thing] ?? -1];
    if (worker === undefined) return;
    if (worker.isBlocking) this.#end(thing, worker);
    else this.#toLoop(worker, thing);
  }

  #end(op: number, worker: Worker): void {
    worker.load--;
    this.#endedMs[op] = this.#nowMs;
    const counts = worker.isBlocking ? this.#counts.blocking : this.#counts.async;
    counts.ended++;
    counts.runMs += this.#nowMs - (this.#startedMs[op] ?? this.#nowMs);
    if (worker.isReplaced) return;
    if (worker.isLeaving && worker.load === 0) this.#convert(worker);
    else this.#dispatch(worker.isBlocking);
  }

  #convert(worker: Worker): void {
    worker.isLeaving = false;
    worker.isBlocking = !worker.isBlocking;
    if (this.#controller.isInstant) return this.#dispatch(worker.isBlocking);
    worker.isStarting = true;
    this.#timers.push(this.#nowMs + this.#settings.startMs, -1 - this.#workers.indexOf(worker));
  }

  /** Instant switching: another Worker is there at once, and this one ends what it has beside it. */
  #replace(worker: Worker): void {
    worker.isReplaced = true;
    this.#workers.push(newWorker(!worker.isBlocking));
  }

  #tick(): void {
    const sample = this.#sample();
    this.#course.push({
      blocking: sample.mix.blocking,
      places: sample.mix.async * sample.mix.slots,
      backlog: { blocking: this.#queues.blocking.size, async: this.#queues.async.size },
    });
    const asked = this.#controller.second(sample, this.#nowMs);
    if (asked !== null) this.#asked = asked;
    if (this.#slots !== this.#asked.slots) {
      this.#slots = this.#asked.slots;
      this.#dispatch(false);
    }
    this.#rearrange();
  }

  /** Picks Workers to leave their kind, or lets them stay, until the asked mix is on its way. */
  #rearrange(): void {
    for (const isBlocking of [true, false]) {
      const wanted = isBlocking ? this.#asked.blocking : this.#asked.async;
      const staying = this.#workers.filter((worker) => worker.isBlocking === isBlocking && !worker.isLeaving);
      const leaving = this.#workers.filter(
        (worker) => worker.isBlocking === isBlocking && worker.isLeaving && !worker.isReplaced,
      );
      let surplus = staying.length - wanted;
      for (const worker of leaving) {
        const isLate = this.#nowMs - worker.leavingSinceMs >= this.#settings.pickAgainMs;
        if (surplus < 0 || (isLate && staying.length > 0)) {
          worker.isLeaving = false;
          surplus++;
        }
      }
      // The one with least to do goes first; one that is starting has nothing to do at all.
      const order = staying.sort((a, b) => a.load - b.load);
      for (const worker of order.slice(0, Math.max(0, surplus))) {
        worker.isLeaving = true;
        worker.leavingSinceMs = this.#nowMs;
        if (worker.load === 0 && !worker.isStarting) this.#convert(worker);
        else if (this.#controller.isInstant) this.#replace(worker);
      }
      this.#dispatch(isBlocking);
    }
  }

  #sample(): MixSample {
    const count = (isBlocking: boolean) =>
      this.#workers.filter((worker) => worker.isBlocking === isBlocking && !worker.isLeaving && !worker.isStarting)
        .length;
    const mix = { blocking: count(true), async: count(false), slots: this.#slots };
    const isThere = mix.blocking === this.#asked.blocking && mix.async === this.#asked.async;
    const isMoving =
      !isThere || this.#workers.some((worker) => (worker.isLeaving && !worker.isReplaced) || worker.isStarting);
    const sample = {
      blocking: this.#pool(true),
      async: this.#pool(false),
      readAtMs: this.#nowMs,
      spanMs: SECOND_MS,
      mix,
      isMoving,
      isStoreReachable: true,
    };
    this.#counts = newCounts();
    this.#loopMs = 0;
    return sample;
  }

  #pool(isBlocking: boolean): PoolSample {
    const queue = isBlocking ? this.#queues.blocking : this.#queues.async;
    const counts = isBlocking ? this.#counts.blocking : this.#counts.async;
    const oldest = queue.first;
    let busy = 0;
    for (const worker of this.#workers) if (worker.isBlocking === isBlocking) busy += worker.load;
    return {
      ...NOBODY,
      isRegistered: true,
      backlog: queue.size,
      oldestAgeMs: oldest < 0 ? 0 : this.#nowMs - (this.#trace.atMs[oldest] ?? 0),
      enqueued: counts.enqueued,
      dequeued: counts.dequeued,
      ended: counts.ended,
      runMs: counts.runMs,
      loopMs: isBlocking ? 0 : this.#loopMs,
      busy,
    };
  }

  #result(): PlantResult {
    const trace = this.#trace;
    const ages = { blocking: [] as number[], async: [] as number[] };
    const sojourns = { blocking: [] as number[], async: [] as number[] };
    const arrived = { blocking: 0, async: 0 };
    const completed = { blocking: 0, async: 0 };
    const onTime = { blocking: 0, async: 0 };
    for (let op = 0; op < trace.count; op++) {
      const kind = trace.isBlocking[op] === 1 ? "blocking" : "async";
      const atMs = trace.atMs[op] ?? 0;
      const startedMs = this.#startedMs[op] ?? Number.NaN;
      const endedMs = this.#endedMs[op] ?? Number.NaN;
      arrived[kind]++;
      if (!Number.isNaN(endedMs)) completed[kind]++;
      const ageMs = (Number.isNaN(startedMs) ? trace.lengthMs : startedMs) - atMs;
      ages[kind].push(ageMs);
      if (ageMs <= ON_TIME_MS) onTime[kind]++;
      sojourns[kind].push((Number.isNaN(endedMs) ? trace.lengthMs : endedMs) - atMs);
    }
    return {
      arrived,
      completed,
      onTime,
      p99AgeMs: { blocking: percentile(ages.blocking, 0.99), async: percentile(ages.async, 0.99) },
      p99SojournMs: { blocking: percentile(sojourns.blocking, 0.99), async: percentile(sojourns.async, 0.99) },
      mix: this.#asked,
      course: this.#course,
    };
  }
}

interface Counts {
  enqueued: number;
  dequeued: number;
  ended: number;
  runMs: number;
}

function newCounts(): { blocking: Counts; async: Counts } {
  const none = () => ({ enqueued: 0, dequeued: 0, ended: 0, runMs: 0 });
  return { blocking: none(), async: none() };
}

function newWorker(isBlocking: boolean): Worker {
  return {
    isBlocking,
    isLeaving: false,
    leavingSinceMs: 0,
    isReplaced: false,
    isStarting: false,
    load: 0,
    loop: new Fifo(),
    isLoopBusy: false,
  };
}

function percentile(values: number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/**
 * The App (elsewhere: namespace, client, worker): declares Steps, enqueues their Operations, runs them here if started.
 *
 * Life: `new` (declare; no I/O) → `ready` (the store is open; by the first call that needs it) → `started` (executes)
 * → `stopping` → back to `ready`; `closed` from anywhere, for good. The only chooser of a store.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { crewSpecOf, type MixWishes } from "./app/crew-spec.js";
import { type AppEvents, EventHub } from "./app/events.js";
import { IndexKeeper } from "./app/index-keeper.js";
import { Inspect } from "./app/inspect.js";
import { Limits } from "./app/limits.js";
import { openProducer } from "./app/open-producer.js";
import { makeStore, type OpenStoreOptions } from "./app/open-store.js";
import {
  type AppOptions,
  boundOf,
  type EnqueueOptions,
  type ResolvedEnqueue,
  resolveAppOptions,
  resolveEnqueueOptions,
} from "./app/options.js";
import { payloadStore } from "./app/payload-store.js";
import { QueueFace } from "./app/queue-face.js";
import type { Reach } from "./app/reach.js";
import { takeSeat } from "./app/seated.js";
import { beyond, SecuredSubmission, tryDurability } from "./app/securing.js";
import { type AnyStep, makeStep, type Step } from "./app/step.js";
import { StepRegistry } from "./app/step-registry.js";
import { Bulk, BulkSubmission, SingleSubmission } from "./app/submission.js";
import { batchKeyOf, isBound, keyOf, searchedKey, tiesOf } from "./app/ties.js";
import { type Clock, systemClock } from "./base/clock.js";
import { encode } from "./base/codec.js";
import type { Duration } from "./base/duration.js";
import { parseDuration } from "./base/duration.js";
import { type Machine, readEnv, resolveNodeId, thisMachine } from "./base/env.js";
import { createError, show } from "./base/errors.js";
import { newIncarnation } from "./base/id.js";
import { type Logger, silentLogger } from "./base/log.js";
import { checkName } from "./base/names.js";
import { type Random, systemRandom } from "./base/random.js";
import { parseSealKeys, Sealer } from "./base/seal.js";
import { tryPlaceId } from "./engine/dot.js";
import type { Durability, StoreDurability } from "./engine/durability.js";
import { encodeEnvelope } from "./engine/envelope.js";
import type { Store } from "./engine/store.js";
import type { ClaimParams } from "./engine/transitions.js";
import type { WorkerView } from "./foreman/crew.js";
import { FOREMAN_TIMES, Foreman, type ForemanTimes, type StopReport } from "./foreman/foreman.js";
import type { NodeView } from "./foreman/nodes.js";
import { Handle, type Outcome, type WaitOptions } from "./handle.js";
import { type AttemptScope, sinkInside } from "./queue/attempt-scope.js";
import { type Counters, createCounters } from "./queue/counters.js";
import { Finder } from "./queue/finder.js";
import { type ResendContext, resend } from "./queue/resend.js";
import { Segments } from "./queue/segments.js";
import type { FullSubmission, MeetingTies, Submission, SubmissionSink } from "./queue/submission.js";
import { WAIT_POLL_MS, Waiters } from "./queue/waiters.js";
import { findAppSeat } from "./worker/app-seat.js";
import { ExecutorHost } from "./worker/executors.js";
import { type Executor, Executors } from "./workflow/executor.js";
import { Registry } from "./workflow/registry.js";
import { validate } from "./workflow/schema.js";
import {
  type BatchFunction,
  type BatchStepOptions,
  defineStep,
  type StepDefinition,
  type StepFunction,
  type StepOptions,
} from "./workflow/step.js";

/** Where an App is in its life. */
export type AppState = "new" | "ready" | "started" | "stopping" | "closed";

/** What tests may put in the place of the real world; see testing/. */
export interface AppWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly times: ForemanTimes;
  /** Period of the safety poll of waits. */
  readonly waitPollMs: number;
  /** Where this process runs, as it tells others. */
  readonly machine: Machine;
  /** Whether an App with a `module` runs its Steps in Worker threads; else all of them run on this one. */
  readonly hasThreads: boolean;
  readonly makeStore: (options: OpenStoreOptions) => Promise<Store>;
  /** Awaited between the acknowledgement of a single enqueue and its handle. */
  readonly afterEnqueue?: () => Promise<void>;
  /** The module's export that is the App, for Workers; null to find it. */
  readonly exportName: string | null;
  /** What the process says of the mix beside the App's options. */
  readonly mix: MixWishes;
  /** The Segment this process writes; null: its Node's own. Not where an App has several servers. */
  readonly segment: string | null;
  /** The pace that claims of this process keep to, over all that is claimed from their Segment; null for none. */
  readonly pace: (() => ClaimParams["pace"] | null) | null;
  /** Owners whose process was seen to end: what they held is rescued without waiting for their Lease. */
  readonly buried: readonly string[];
}

/** The method by which testing/ and app/foreman-app.ts change an App's world before it is used. */
export const SETTLE_IN = Symbol("millrace.settleIn");

/** The method by which app/foreman-app.ts looks behind an App's face. */
export const FOREMAN_VIEW = Symbol("millrace.foremanView");

/** For compat/: an enqueue with ties of the caller's own. */
export const ENQUEUE_TIED = Symbol("millrace.enqueueTied");

/** Counters of an App with what it has at hand right now. */
export type AppMetrics = ReturnType<Counters["snapshot"]> & {
  readonly running: number;
  readonly buffered: number;
  /** Operations claimed that wait for others of their batch. */
  readonly gathering: number;
};

interface Opened {
  readonly store: Store;
  readonly producer: SubmissionSink;
  /** Inside it enqueues pass the bound; null if there is none. */
  readonly scope: AttemptScope | null;
  readonly segments: Segments;
  readonly finder: Finder;
  readonly waiters: Waiters;
  readonly context: ResendContext;
  /** The same for calls of users: their repeats may be counted. */
  readonly client: ResendContext;
}

const BULK_CHUNK = 1_000;
const BULK_AHEAD = 16 * BULK_CHUNK;
/** How long `close` waits for enqueues that have no answer yet. */
const CLOSE_WAIT_MS = 5_000;

/** A named set of Steps with its own Queues. `await using app = new App()` stops and closes it at the end of the block. */
export class App implements AsyncDisposable {
  readonly id: string;
  /** This process's Segment: NODE_ID or the host name. */
  readonly nodeId: string;
  readonly #options: ReturnType<typeof resolveAppOptions>;
  readonly #registry = new Registry();
  readonly #steps: StepRegistry;
  /** Queues of Steps that were taken out; null: none was ever, and no enqueue of a Step looks whether it is still there. */
  #queuesOfWithdrawn: Set<string> | null = null;
  readonly #executors = new Executors();
  /** What it has to do with the Worker it was made in; null outside of Workers. */
  readonly #inWorker: ReturnType<typeof takeSeat>;
  readonly #log: Logger;
  readonly #counters = createCounters();
  readonly #events: EventHub;
  readonly #reach: Reach;
  /** Null: payloads are stored as they are. */
  readonly #sealer: Sealer | null;
  #world: AppWorld = {
    clock: systemClock,
    random: systemRandom,
    times: FOREMAN_TIMES,
    waitPollMs: WAIT_POLL_MS,
    machine: thisMachine(),
    hasThreads: true,
    makeStore,
    exportName: null,
    mix: { settings: {}, pins: null },
    segment: null,
    pace: null,
    buried: [],
  };
  #state: AppState = "new";
  #opening: Promise<Opened> | null = null;
  #opened: Opened | null = null;
  /** What was asked for last and came with the store's own acknowledgement, and what the store offered then. */
  #implied: Durability | null = null;
  #impliedBy: StoreDurability | null = null;
  #incarnation = "";
  #foreman: Foreman | null = null;
  /** Kept while the store is open, if asked for. */
  #index: IndexKeeper | null = null;
  #starting: Promise<void> | null = null;
  #stopping: Promise<StopReport> | null = null;
  /** The Foreman that is being stopped: another `stop` may hurry it. */
  #leaving: Foreman | null = null;
  /** The shortest time to drain that was asked for. */
  #drainMs = 0;
  #closing: Promise<void> | null = null;

  /** Checks the options; does no I/O. Errors: MR_INVALID_OPTION. */
  constructor(options: AppOptions = {}) {
    this.#options = resolveAppOptions(options);
    this.id = this.#options.id;
    this.#sealer = sealerOf(this.#options);
    const { logger } = this.#options;
    const fallback = findAppSeat()?.log ?? silentLogger;
    this.#log = ((logger as Logger | undefined) ?? fallback).child({ app: this.id }); // a logger, by its row
    this.#events = new EventHub(this.#log);
    this.#steps = new StepRegistry({
      registry: this.#registry,
      declare: (name, ...rest) => this.step(name, rest[0] as never, rest[1] as never), // checked there, whatever it is
      checkPlace: () => {
        const seated = this.#inWorker?.seated;
        // While its module is imported nothing runs: a Worker does what the main thread has done there.
        if (seated && seated.load.running > 0) throw seated.refusal("registry.unregister");
      },
      unended: (name) => this.#unended(name),
      withdrawn: (step) => this.#withdrawn(step.queue),
    });
    this.#inWorker = takeSeat(this, {
      id: this.id,
      options: this.#options,
      registry: this.#registry,
      executors: this.#executors.registered(),
      log: this.#log,
    });
    this.nodeId = this.#inWorker?.seated?.nodeId ?? resolveNodeId(this.#options.nodeId);
    this.#reach = this.#inWorker?.seated?.reach ?? {
      opened: async (method) => void (await this.#open(method)),
      durability: () => this.#need().store.durability,
      finder: () => this.#need().finder,
      waiters: () => this.#need().waiters,
      clock: () => this.#world.clock,
      call: (call) => {
        const { client, store } = this.#need();
        return resend(client, this.#options.network.timeout, () => call(store));
      },
    };
  }

  /** Where it is in its life. */
  get state(): AppState {
    return this.#inWorker?.seated ? "started" : this.#state;
  }

  /**
   * Declares a Step: a name, a function and how its Operations are treated. The Step enqueues itself.
   *
   * Errors: MR_INVALID_NAME, MR_INVALID_OPTION, MR_UNKNOWN_EXECUTOR, MR_DUPLICATE_NAME.
   */
  step<S extends StandardSchemaV1, O>(
    name: string,
    options: StepOptions<StandardSchemaV1.InferOutput<S>> & { readonly input: S },
    fn: StepFunction<StandardSchemaV1.InferOutput<S>, O>,
  ): Step<StandardSchemaV1.InferInput<S>, O>;
  step<I, O>(name: string, options: StepOptions<I> & { readonly input?: never }, fn: StepFunction<I, O>): Step<I, O>;
  step<I, O>(name: string, fn: StepFunction<I, O>): Step<I, O>;
  step(name: string, optionsOrFn: unknown, fn?: unknown): AnyStep {
    const isShort = typeof optionsOrFn === "function" && fn === undefined;
    const options = isShort ? undefined : optionsOrFn;
    const definition = defineStep(name, options, isShort ? optionsOrFn : fn, this.#options.defaults, this.#executors);
    return this.#declare(definition);
  }

  /**
   * Declares a batch Step: fed one Operation at a time, it is called with up to `batch.maxSize` of them. Its function
   * answers with a list as long, in the same order; an `Error` in it fails, or retries, that Operation alone.
   *
   * Errors: those of `step`.
   */
  batchStep<S extends StandardSchemaV1, O>(
    name: string,
    options: BatchStepOptions<StandardSchemaV1.InferOutput<S>> & { readonly input: S },
    fn: BatchFunction<StandardSchemaV1.InferOutput<S>, O>,
  ): Step<StandardSchemaV1.InferInput<S>, O>;
  batchStep<I, O>(
    name: string,
    options: BatchStepOptions<I> & { readonly input?: never },
    fn: BatchFunction<I, O>,
  ): Step<I, O>;
  batchStep(name: string, options: unknown, fn: unknown): AnyStep {
    const definition = defineStep(name, options, fn, this.#options.defaults, this.#executors, true);
    return this.#declare(definition);
  }

  /** The same as `step`: a task is a Step whose Operations stand alone. */
  task: App["step"] = this.step;

  /**
   * Registers an executor, for the Steps declared after it that name it in their options.
   *
   * Errors: MR_INVALID_NAME, MR_DUPLICATE_NAME, MR_INVALID_OPTION.
   */
  executor(name: string, executor: Executor): void {
    this.#executors.register(name, executor);
  }

  /**
   * Enqueues one Operation; resolves when the store has it.
   *
   * Calls of the same tick travel together. Errors: MR_UNKNOWN_TARGET, MR_INVALID_INPUT, MR_INVALID_OPTION,
   * MR_NOT_SERIALISABLE, MR_TOO_LARGE (nothing was stored) · MR_IDEMPOTENCY_MISMATCH, MR_KEY_HELD (another holds the key) · MR_STORE_UNAVAILABLE, MR_STORE_FULL (refused) ·
   * MR_INDETERMINATE (unknown; names the id) · MR_APP_CLOSED.
   */
  enqueue<I, O>(target: Step<I, O>, input: I, options?: EnqueueOptions): Promise<Handle<O>>;
  enqueue(target: string, input: unknown, options?: EnqueueOptions): Promise<Handle>;
  async enqueue(target: AnyStep | string, input: unknown, options?: EnqueueOptions): Promise<Handle> {
    return await this.#enqueue(this.#resolve(target), input, options);
  }

  /**
   * Enqueues many Operations of one Step, in order; resolves when each has its answer.
   *
   * `handles[i]` is the handle of the i-th input, or the error that refused it; the others go on. Takes any iterable
   * and holds at most 16,000 unanswered inputs at a time.
   * Errors: MR_UNKNOWN_TARGET, MR_INVALID_OPTION, MR_APP_CLOSED.
   */
  enqueueMany<I, O>(
    target: Step<I, O>,
    inputs: Iterable<I>,
    options?: EnqueueOptions,
  ): Promise<{ readonly handles: (Handle<O> | Error)[] }>;
  enqueueMany(
    target: string,
    inputs: Iterable<unknown>,
    options?: EnqueueOptions,
  ): Promise<{ readonly handles: (Handle | Error)[] }>;
  async enqueueMany(
    target: AnyStep | string,
    inputs: Iterable<unknown>,
    options?: EnqueueOptions,
  ): Promise<{ readonly handles: (Handle | Error)[] }> {
    const step = this.#resolve(target);
    const resolved = options === undefined ? null : resolveEnqueueOptions(options);
    const producer = await this.#openSink("enqueueMany");
    const bulk = new Bulk(this.#reach);
    const asked = this.#asked(step, resolved);
    const secured = (body: Uint8Array, level: Durability, to: Bulk, index: number) =>
      new SecuredSubmission(
        body,
        this.#reach,
        level,
        (handle) => to.take(index, handle),
        (error) => to.refuse(index, error),
      );
    for (const input of inputs) {
      const index = bulk.reserve();
      try {
        const checked = this.#check(step, input, resolved);
        const valid = checked instanceof Promise ? await checked : checked;
        const key = this.#keyOf(step, valid, resolved);
        const body = this.#pack(step, valid, resolved, key);
        const submission = asked === null ? new BulkSubmission(body, bulk, index) : secured(body, asked, bulk, index);
        this.#push(producer, step, resolved, valid, submission, key);
      } catch (error) {
        bulk.refuse(index, error as Error); // validation, codec and options throw errors only
      }
      if (bulk.unanswered >= BULK_AHEAD) await bulk.whenBelow(BULK_AHEAD / 2);
    }
    await bulk.whenBelow(1);
    return { handles: bulk.handles };
  }

  /** Enqueues and waits for the result. Errors: those of `enqueue` and of `Handle.result`. */
  run<I, O>(target: Step<I, O>, input: I, options?: EnqueueOptions): Promise<O>;
  run(target: string, input: unknown, options?: EnqueueOptions): Promise<unknown>;
  async run(target: AnyStep | string, input: unknown, options?: EnqueueOptions): Promise<unknown> {
    const handle = await this.#enqueue(this.#resolve(target), input, options);
    return await handle.result();
  }

  /** Enqueues for later: the same as `enqueue` with `delay`. */
  async delay<I, O>(target: Step<I, O>, input: I, by: Duration, options: EnqueueOptions = {}): Promise<Handle<O>> {
    return await this.enqueue(target, input, { ...options, delay: by });
  }

  /** Enqueues for a moment: the same as `enqueue` with `at`. */
  async at<I, O>(target: Step<I, O>, input: I, when: Date | string, options: EnqueueOptions = {}): Promise<Handle<O>> {
    return await this.enqueue(target, input, { ...options, at: when });
  }

  /** Returns a handle for an id that was kept. Errors: MR_NOT_FOUND if the text is no id; whether it exists is read later. */
  handle<O = unknown>(id: string): Handle<O> {
    const placed = tryPlaceId(id);
    if (placed === null) throw createError("MR_NOT_FOUND", { kind: "id", id: show(id) });
    return new Handle<O>(this.#reach, placed.segment, placed.dot.laneName, placed.dot.counter);
  }

  /**
   * Waits for all handles, in order. With `settle`, gives how each ended instead of throwing at the first failure.
   *
   * Errors: those of `Handle.result`, without `settle`; WaitTimeout.
   */
  gather<O>(handles: readonly Handle<O>[], options: WaitOptions & { readonly settle: true }): Promise<Outcome<O>[]>;
  gather<O>(handles: readonly Handle<O>[], options?: WaitOptions & { readonly settle?: false }): Promise<O[]>;
  async gather<O>(
    handles: readonly Handle<O>[],
    options: WaitOptions & { readonly settle?: boolean } = {},
  ): Promise<(O | Outcome<O>)[]> {
    const { settle, ...wait } = options;
    return await Promise.all(handles.map((handle) => (settle === true ? handle.wait(wait) : handle.result(wait))));
  }

  /** A Queue's face: pause, resume, counts, dead letters. Errors: MR_INVALID_NAME. */
  queue(name: string): QueueFace {
    return new QueueFace(this.#reach, checkName(name, "Queue"));
  }

  /** What is where, and why: lists, searches, bulk actions, explanations. */
  get inspect(): Inspect {
    return new Inspect({
      reach: this.#reach,
      nodes: () => this.nodes(),
      steps: () => this.#registry.list(),
      index: () => this.#index?.index ?? null,
    });
  }

  /** The numbers of Steps' limits, changed while everything runs, and what is in use. */
  get limits(): Limits {
    return new Limits({ reach: this.#reach, steps: () => this.#registry.list() });
  }

  /**
   * Listens to what Operations of this process do, after the store has acknowledged it; returns a function that ends it.
   *
   * A listener cannot delay or fail work: it is called after the fact, and what it throws is logged. Inside a Worker
   * nothing is heard: outcomes are the Foreman's.
   */
  on<Name extends keyof AppEvents>(event: Name, listener: (payload: AppEvents[Name]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Counters since this App was made, and what runs now. */
  metrics(): AppMetrics {
    const load = this.#inWorker?.seated?.load ?? (this.#foreman ?? this.#leaving)?.load ?? { running: 0, buffered: 0 };
    return { ...this.#counters.snapshot(), gathering: 0, ...load };
  }

  /** The Worker threads and processes of this App here; none when its Steps run on this thread. */
  workers(): WorkerView[] {
    return (this.#foreman ?? this.#leaving)?.workers() ?? [];
  }

  /** Every process that executes this App anywhere, as this one sees it; none while this one does not execute. */
  nodes(): NodeView[] {
    return (this.#foreman ?? this.#leaving)?.nodes() ?? [];
  }

  /** The Steps declared, by name: looked up, declared, taken out. */
  get registry(): StepRegistry {
    return this.#steps;
  }

  /**
   * Opens the store and runs Operations until `stop`: with the option `module` in Worker threads, once all of them are
   * ready; without it on this thread. Starting twice is the same as once.
   *
   * Errors: MR_MODULE_REQUIRED for a blocking Step without `module` (it would block this thread) · MR_MODULE_FAILED,
   * MR_WORKERS_NOT_READY · MR_STORE_UNSAFE, MR_STORE_LOCKED,
   * MR_STORE_VERSION, MR_STORE_CORRUPT, MR_STORE_UNAVAILABLE · MR_APP_CLOSED.
   */
  async start(): Promise<void> {
    if (this.#inWorker !== null) return await this.#startInWorker(this.#inWorker);
    if (this.#stopping !== null) await this.#stopping;
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = null;
      throw error;
    });
    await this.#starting;
  }

  /**
   * Stops gracefully: claims nothing new, lets running work finish for `drain` (default: the option `workers.drain`),
   * gives the rest back without spending an Attempt. Stopping what is not started resolves; stopping again with a
   * shorter `drain` hurries the stop. Errors: MR_INVALID_OPTION · MR_APP_STATE inside a Worker, like `close`.
   */
  async stop(options: { readonly drain?: Duration } = {}): Promise<StopReport> {
    const drainMs = parseDuration(options.drain ?? this.#options.workers.drain, "stop.drain");
    this.#refuseInWorker("stop");
    this.#drainMs = this.#stopping === null ? drainMs : Math.min(this.#drainMs, drainMs);
    void this.#leaving?.stop(this.#drainMs);
    // Set before anything is awaited: a `start` called right after this one begins when this one has ended.
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = null;
    });
    return await this.#stopping;
  }

  /** Stops, then lets go of the store. Closing twice is the same as once; any other use afterwards gives MR_APP_CLOSED. */
  async close(): Promise<void> {
    this.#refuseInWorker("close");
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** Closes at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#inWorker?.seated) return; // the Worker goes on with it
    await this.close();
  }

  /** For testing/: puts parts of another world in place, gives the Steps. Errors: MR_APP_STATE once the App was used. */
  [SETTLE_IN](world: Partial<AppWorld>): Registry {
    if (this.#state !== "new" || this.#opening !== null) {
      throw createError("MR_APP_STATE", {
        app: this.id,
        state: this.#state,
        method: "createTestApp",
        expected: "unused",
      });
    }
    this.#world = { ...this.#world, ...world };
    return this.#registry;
  }

  /** For app/foreman-app.ts: opens the store and shows what an App keeps to itself. Errors: those of `start`. */
  async [FOREMAN_VIEW](): Promise<{
    readonly owner: string;
    readonly store: Store;
    readonly foreman: () => Foreman | null;
  }> {
    const { store } = await this.#open("start");
    return { owner: this.#incarnation, store, foreman: () => this.#foreman };
  }

  /** For compat/: enqueues with ties that come from neither Step nor options. Errors: as `enqueue`. */
  async [ENQUEUE_TIED](target: string, input: unknown, options: EnqueueOptions, ties: MeetingTies): Promise<Handle> {
    const step = this.#resolve(target);
    const resolved = resolveEnqueueOptions(options);
    const sink = await this.#openSink("enqueue");
    const key = this.#keyOf(step, input, resolved);
    const submission = new SingleSubmission(this.#pack(step, input, resolved, key), this.#reach);
    this.#push(sink, step, resolved, input, submission, key, ties);
    return await submission.handle;
  }

  /** The definitions are complete. What stands below the call is the main thread's: it never comes to it. */
  async #startInWorker({ seat, seated }: NonNullable<ReturnType<typeof takeSeat>>): Promise<never> {
    if (seated === null) {
      const expected = "in the main thread: this Worker runs another App";
      throw createError("MR_APP_STATE", { app: this.id, state: "inside a Worker", method: "start", expected });
    }
    seat.start(this);
    return await new Promise<never>(() => undefined);
  }

  #refuseInWorker(method: string): void {
    const seated = this.#inWorker?.seated;
    if (seated) throw seated.refusal(method);
  }

  async #start(): Promise<void> {
    const { module, workers } = this.#options;
    const own = this.#executors.registered();
    const steps = this.#registry.list();
    const blocking = steps.find((step) => step.kind === "blocking");
    if (module === undefined && blocking !== undefined) {
      throw createError("MR_MODULE_REQUIRED", { step: blocking.name });
    }
    const { context, client, segments, store, producer, scope, finder, waiters } = await this.#open("start");
    const ofSteps = [...new Set(steps.map((step) => step.queue))];
    const queues = (workers.queues as readonly string[] | undefined) ?? (ofSteps.length > 0 ? ofSteps : ["async"]); // names, by its row
    const crew =
      module === undefined || !this.#world.hasThreads
        ? null
        : crewSpecOf({
            ...{ workers, steps, appId: this.id, nodeId: this.nodeId, log: this.#log, clock: this.#world.clock },
            module: module as string, // a file URL, by its row
            exportName: this.#world.exportName,
            mix: this.#world.mix,
            durability: store.durability,
            desk: {
              producer: scope === null ? producer : sinkInside(producer, scope),
              finder,
              waiters,
              call: (call) => resend(client, this.#options.network.timeout, () => call(store)),
            },
          });
    const foreman = new Foreman({
      ...context,
      segments,
      registry: this.#registry,
      log: this.#log,
      owner: this.#incarnation,
      node: { name: this.nodeId, machine: this.#world.machine, isTakeover: this.#options.takeover },
      queues,
      isByPreference: workers.queues !== undefined,
      slots: workers.asyncWorkers * workers.slots,
      ...(crew === null && own.size > 0 ? { executors: new ExecutorHost(own, this.#world.clock, this.#log) } : {}),
      ...(crew === null && scope !== null ? { scope } : {}),
      crew,
      times: this.#world.times,
      ...(this.#world.pace === null ? {} : { pace: this.#world.pace }),
      isWatched: () => this.#events.isWatched,
      settled: (attempt, kind, value) => this.#events.settled(attempt, kind, value),
    });
    for (const owner of this.#world.buried) foreman.bury(owner);
    this.#foreman = foreman;
    this.#state = "started";
    try {
      await foreman.start();
    } catch (error) {
      this.#foreman = null;
      this.#state = "ready";
      await foreman.stop(0);
      throw error;
    }
  }

  async #stop(): Promise<StopReport> {
    await this.#starting?.catch(() => undefined);
    const foreman = this.#foreman;
    if (foreman === null) return { released: 0, isForced: false };
    this.#foreman = null;
    this.#leaving = foreman;
    this.#state = "stopping";
    try {
      return await foreman.stop(this.#drainMs);
    } finally {
      this.#leaving = null;
      this.#starting = null;
      this.#state = "ready";
    }
  }

  async #close(): Promise<void> {
    if (this.#state !== "closed") await this.stop();
    const opened = this.#opened ?? (await this.#opening?.catch(() => null)) ?? null;
    this.#state = "closed";
    if (opened === null) return;
    const { clock } = this.#world;
    const deadlineMs = clock.monotonicMs() + CLOSE_WAIT_MS;
    while (opened.producer.backlog > 0 && clock.monotonicMs() < deadlineMs) {
      await new Promise<void>((resolve) => {
        clock.setTimer(1, resolve);
      });
    }
    opened.producer.end(this.#closedError("enqueue"));
    opened.waiters.end(this.#closedError("wait"));
    this.#index?.stop();
    await opened.store.close();
  }

  #need(): Opened {
    if (this.#opened === null || this.#state === "closed") throw this.#closedError("this call");
    return this.#opened;
  }

  #open(method: string): Promise<Opened> {
    if (this.#state === "closed" || this.#closing !== null) return Promise.reject(this.#closedError(method));
    this.#opening ??= this.#openStore().catch((error: unknown) => {
      this.#opening = null; // what was wrong may be mended: the next call tries again
      throw error;
    });
    return this.#opening;
  }

  async #openStore(): Promise<Opened> {
    const { clock, random } = this.#world;
    const url = this.#options.store;
    const own = await this.#world.makeStore({
      url,
      app: this.id,
      durability: this.#options.durability,
      clock,
      random,
      logger: this.#log.child({ target: "store" }),
    });
    const sealer = this.#sealer;
    const store = sealer === null ? own : payloadStore({ store: own, sealer, app: this.id, log: this.#log });
    await store.open();
    try {
      const context = { store, clock, random, counters: this.#counters };
      const { retries, retryDelay } = this.#options.network;
      const client = retries === undefined ? context : { ...context, repeats: { max: retries, delayMs: retryDelay } };
      this.#incarnation = newIncarnation(random);
      const segments = new Segments(store, clock, this.#options.workers.segmentOrder);
      const bound = boundOf(this.#options);
      const producer = await openProducer({
        ...client,
        node: this.nodeId,
        segment: this.#world.segment ?? this.nodeId,
        incarnation: this.#incarnation,
        timeoutMs: this.#options.network.timeout,
        log: this.#log,
        attendant: {
          attends: (segment, queue) => this.#foreman?.attends(segment, queue) ?? false,
          sent: (segment, queue) => this.#foreman?.sent(segment, queue),
        },
        opened: (segment) => {
          segments.view(segment).isAttended = true;
        },
        bound,
        memoryMax: this.#options.memoryMax ?? null,
      });
      const finder = new Finder(client, this.#options.network.timeout);
      const waiters = new Waiters(context, this.#world.waitPollMs);
      store.listen({
        bell: (segment, queue, cause, priority) => this.#foreman?.bell(segment, queue, cause, priority),
        due: (segment, inMs) => this.#foreman?.expect(segment, inMs),
        settled: (outcome) => waiters.settle(outcome),
        progressed: (id, value) => waiters.progress(id, value),
        marked: (segment, owner) => {
          if (owner === this.#incarnation) this.#foreman?.marked(segment);
        },
        restored: (of, cause) => {
          if (cause === "emptied") this.#counters.add("storeLosses");
          else if (cause !== "reconnected") this.#counters.add("storeChanges");
          waiters.readAll(of);
          this.#index?.restored(cause);
          this.#foreman?.restored(of, cause);
        },
      });
      this.#opened = { store, producer, scope: bound?.scope ?? null, segments, finder, waiters, context, client };
      await this.#tryDurabilities();
      if (this.#options.searchIndex) this.#index = new IndexKeeper(context, this.#options.network.timeout, this.#log);
      if (this.#state === "new") this.#state = "ready";
      return this.#opened;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** What the whole App, or a Step of it, asks of every enqueue, is refused now rather than at the first one. */
  async #tryDurabilities(): Promise<void> {
    const asked = [this.#options.durability, ...this.#registry.list().map((step) => step.durability)];
    try {
      for (const one of asked) if (one != null) await tryDurability(this.#reach, this.nodeId, one);
    } catch (error) {
      this.#opened = null;
      throw error;
    }
  }

  /** What one enqueue waits for beyond the store's own acknowledgement. Errors: MR_DURABILITY_UNAVAILABLE. */
  #asked(step: StepDefinition, resolved: ResolvedEnqueue | null): Durability | null {
    const asked = resolved?.durability ?? step.durability ?? this.#options.durability;
    if (asked === undefined) return null;
    const offered = this.#reach.durability();
    if (asked === this.#implied && offered === this.#impliedBy) return null;
    const more = beyond(offered, asked);
    if (more === null) {
      this.#implied = asked;
      this.#impliedBy = offered;
    }
    return more;
  }

  #declare(definition: StepDefinition): AnyStep {
    this.#registry.register(definition);
    const step = makeStep(definition, (input, options) =>
      this.#queuesOfWithdrawn !== null
        ? this.#enqueueKnown(definition.name, input, options)
        : this.#enqueue(definition, input, options),
    );
    this.#steps.note(step);
    this.#warnOfLate(definition);
    const withdrawn = this.#queuesOfWithdrawn;
    if (withdrawn?.delete(definition.queue)) void this.#foreman?.leaveOut(this.#leftOut(withdrawn));
    return step;
  }

  /** Queues are attended from the start on: what is declared in another one afterwards waits for others, or a restart. */
  #warnOfLate({ name, queue }: StepDefinition): void {
    const foreman = this.#foreman;
    if (foreman === null || this.#options.workers.queues !== undefined || foreman.claimsFrom(queue)) return;
    const told = "a Step was declared after the start, in a Queue this process does not claim from: declare it before";
    this.#log.warn({ step: name, queue }, told);
  }

  /** A Step may have been taken out, and another one declared in its place, since the caller got hold of it. */
  async #enqueueKnown(name: string, input: unknown, options: EnqueueOptions | undefined): Promise<Handle> {
    return await this.#enqueue(this.#registry.get(name), input, options);
  }

  /** Looks in the order in which Operations move; one that moves back meanwhile, or comes, may be missed. */
  async #unended(name: string): Promise<{ readonly id: string; readonly state: string } | null> {
    if (this.#inWorker?.seated) return null; // the main thread has looked
    for (const state of ["scheduled", "ready", "running"]) {
      let cursor: string | null = null;
      do {
        const filter = `state:${state} step:${name}`;
        const page = await this.inspect.search(filter, { limit: 1, ...(cursor === null ? {} : { cursor }) });
        const [first] = page.operations;
        if (first !== undefined) return { id: first.id, state: first.state };
        cursor = page.cursor;
      } while (cursor !== null);
    }
    return null;
  }

  async #withdrawn(queue: string): Promise<void> {
    this.#queuesOfWithdrawn ??= new Set();
    this.#queuesOfWithdrawn.add(queue);
    await this.#foreman?.leaveOut(this.#leftOut(this.#queuesOfWithdrawn));
  }

  /** Of the Queues of Steps that were taken out, those that nothing else here claims from. */
  #leftOut(queues: ReadonlySet<string>): ReadonlySet<string> {
    if (this.#options.workers.queues !== undefined) return new Set();
    const used = new Set(this.#registry.list().map((step) => step.queue));
    return new Set([...queues].filter((queue) => !used.has(queue)));
  }

  #resolve(target: AnyStep | string): StepDefinition {
    const name = typeof target === "string" ? target : target.definition.name;
    return this.#registry.get(name);
  }

  #enqueue(step: StepDefinition, input: unknown, options: EnqueueOptions | undefined): Promise<Handle> {
    try {
      const resolved = options === undefined ? null : resolveEnqueueOptions(options);
      const checked = this.#check(step, input, resolved);
      const sink = this.#inWorker?.seated?.sink ?? this.#opened?.producer;
      if (checked instanceof Promise || sink === undefined || this.#closing !== null) {
        return this.#enqueueLater(step, checked, resolved);
      }
      return this.#submit(sink, step, checked, resolved);
    } catch (error) {
      return Promise.reject(error as Error); // validation, codec and options throw errors only
    }
  }

  async #enqueueLater(step: StepDefinition, checked: unknown, resolved: ResolvedEnqueue | null): Promise<Handle> {
    const sink = await this.#openSink("enqueue");
    return await this.#submit(sink, step, await checked, resolved);
  }

  async #openSink(method: string): Promise<SubmissionSink> {
    return this.#inWorker?.seated?.sink ?? (await this.#open(method)).producer;
  }

  #check(step: StepDefinition, input: unknown, resolved: ResolvedEnqueue | null): unknown {
    if (step.input === null || resolved?.validate === false) return input;
    return validate(step.input, input, step.name);
  }

  #submit(
    producer: SubmissionSink,
    step: StepDefinition,
    input: unknown,
    resolved: ResolvedEnqueue | null,
  ): Promise<Handle> {
    const asked = this.#asked(step, resolved);
    const key = this.#keyOf(step, input, resolved);
    const body = this.#pack(step, input, resolved, key);
    if (asked !== null) return this.#submitSecured(producer, step, input, resolved, key, body, asked);
    const submission = new SingleSubmission(body, this.#reach);
    this.#push(producer, step, resolved, input, submission, key);
    return this.#world.afterEnqueue === undefined ? submission.handle : this.#afterEnqueue(submission.handle);
  }

  #submitSecured(
    producer: SubmissionSink,
    step: StepDefinition,
    input: unknown,
    resolved: ResolvedEnqueue | null,
    key: string | undefined,
    body: Uint8Array,
    asked: Durability,
  ): Promise<Handle> {
    const handle = new Promise<Handle>((resolve, reject) => {
      const submission = new SecuredSubmission(body, this.#reach, asked, resolve, reject);
      this.#push(producer, step, resolved, input, submission, key);
    });
    return this.#afterEnqueue(handle);
  }

  async #afterEnqueue(handle: Promise<Handle>): Promise<Handle> {
    const made = await handle;
    await this.#world.afterEnqueue?.();
    return made;
  }

  #keyOf(step: StepDefinition, input: unknown, resolved: ResolvedEnqueue | null): string | undefined {
    return step.isTied || resolved !== null ? keyOf(step, resolved, input) : undefined;
  }

  #pack(step: StepDefinition, input: unknown, resolved: ResolvedEnqueue | null, key: string | undefined): Uint8Array {
    const batch = step.batch === null ? undefined : batchKeyOf(step, input);
    const overrides =
      resolved === null && batch === undefined && key === undefined ? null : overridesOf(resolved, batch, key);
    return encodeEnvelope(step.name, this.#world.clock.nowMs(), overrides, input);
  }

  /** The fast path unless a priority, a delay, a moment or ties ask for a record of its own. */
  #push(
    producer: SubmissionSink,
    step: StepDefinition,
    resolved: ResolvedEnqueue | null,
    input: unknown,
    submission: Submission,
    key: string | undefined,
    own: MeetingTies | null = null,
  ): void {
    const queue = resolved?.queue ?? step.queue;
    const priority = resolved?.priority ?? step.priority;
    const atMs = resolved?.at as number | undefined; // milliseconds, by its row
    const delayMs = resolved?.delay ?? (atMs === undefined ? step.debounce?.waitMs : undefined);
    const ties = own ?? (isBound(step, resolved) ? tiesOf(step, resolved, input, submission, key) : null);
    if (priority === 0 && delayMs === undefined && atMs === undefined && ties === null) {
      return producer.push(queue, submission);
    }
    const due = delayMs !== undefined ? { in: delayMs } : atMs !== undefined ? { at: atMs } : null;
    producer.pushFull(fullOf(submission, queue, priority, due, ties));
  }

  #closedError(method: string): Error {
    return createError("MR_APP_CLOSED", { app: this.id, method });
  }
}

/** A function of its own: what captures a variable costs its function an allocation, even on the fast path beside it. */
function fullOf(
  submission: Submission,
  queue: string,
  priority: number,
  due: FullSubmission["due"],
  ties: MeetingTies | null,
): FullSubmission {
  return {
    body: submission.body,
    queue,
    priority,
    due,
    ties,
    accepted: (laneName, counter, segment, isKept) => submission.accepted(laneName, counter, segment, isKept),
    refused: (error) => submission.refused(error),
  };
}

/** What its payloads are sealed by; null if they are not. Errors: MR_INVALID_OPTION. */
function sealerOf({ encryptionKey, compressFrom }: ReturnType<typeof resolveAppOptions>): Sealer | null {
  const given = encryptionKey ?? readEnv("MILLRACE_ENCRYPTION_KEY")?.split(",") ?? [];
  if (given.length === 0 && compressFrom === undefined) return null;
  return new Sealer({ keys: parseSealKeys(given, "app.encryptionKey"), compressFrom: compressFrom ?? null });
}

/** The options that travel with the Operation, as codec bytes; null if there are none. */
function overridesOf(
  resolved: ResolvedEnqueue | null,
  batch: string | undefined,
  key: string | undefined,
): Uint8Array | null {
  const { retries, timeout: timeoutMs, tags } = resolved ?? {};
  const isOwn = batch !== undefined || key !== undefined;
  if (retries === undefined && timeoutMs === undefined && tags === undefined && !isOwn) return null;
  const own = { ...(batch === undefined ? {} : { batch }), ...(key === undefined ? {} : { key: searchedKey(key) }) };
  return encode({ retries, timeoutMs, tags, ...own }, "options");
}

/**
 * The Foreman's numbers for Prometheus (elsewhere: exporter). Nothing is counted here: at each scrape the counters of
 * core, the Workers and the mix are read once and written under their published names.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { CountsAnswer, RunningForeman } from "@millrace/core/server";
import type { Counter, Gauge, Registry } from "prom-client";
import { serverVersion } from "../version.js";

/** A counter of core and what it is called outside. */
interface CounterName {
  readonly from: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Names of metrics with their help; the prefix `millrace_` and, for counters, `_total` come with them. */
const HELP = {
  operations_enqueued: "Operations whose enqueue was acknowledged to this process.",
  operations_claimed: "Operations claimed by this process.",
  operations_started: "Attempts begun.",
  operations_finished: "Operations that ended here, by how.",
  operations_released: "Operations given back unharmed.",
  operations_promoted: "Due Operations this process made ready.",
  retries: "Attempts that failed and are planned again.",
  attempts_failed: "Attempts that failed: those planned again, and the last ones.",
  fence_rejections: "Outcomes the store refused because the Operation had another owner.",
  leases_expired: "Operations taken back from owners that were silent for a Lease, or dead.",
  segments_adopted: "Segments of Nodes that are gone from which this process took work.",
  failovers: "Times this process began to write a Segment on another server than its home.",
  store_calls: "Store calls by what they carried.",
  store_resends: "Store calls sent again after a cut or a refusal.",
  wakeups: "Wake-ups received.",
  safety_finds: "Slow polls that found work a wake-up should have told.",
  worker_starts: "Worker threads and processes started.",
  worker_restarts: "Those of them that ended and were replaced, by why.",
  ring_fulls: "Times a Worker's ring had no room for what it was to be given.",
} as const;

const COUNTERS: readonly CounterName[] = [
  { from: "enqueued", name: "operations_enqueued" },
  { from: "claimed", name: "operations_claimed" },
  { from: "started", name: "operations_started" },
  { from: "completed", name: "operations_finished", labels: { state: "completed" } },
  { from: "failed", name: "operations_finished", labels: { state: "failed" } },
  { from: "cancelled", name: "operations_finished", labels: { state: "cancelled" } },
  { from: "released", name: "operations_released" },
  { from: "promoted", name: "operations_promoted" },
  { from: "retried", name: "retries" },
  { from: "retried", name: "attempts_failed", labels: { outcome: "retried" } },
  { from: "failed", name: "attempts_failed", labels: { outcome: "failed" } },
  { from: "stale", name: "fence_rejections" },
  { from: "rescued", name: "leases_expired" },
  { from: "segmentsAdopted", name: "segments_adopted" },
  { from: "failovers", name: "failovers" },
  { from: "enqueueCalls", name: "store_calls", labels: { call: "enqueue" } },
  { from: "claimCalls", name: "store_calls", labels: { call: "claim" } },
  { from: "outcomeCalls", name: "store_calls", labels: { call: "outcome" } },
  { from: "beats", name: "store_calls", labels: { call: "beat" } },
  { from: "resends", name: "store_resends" },
  { from: "bells", name: "wakeups" },
  { from: "safetyFinds", name: "safety_finds" },
  { from: "workersStarted", name: "worker_starts" },
  { from: "workersLost", name: "worker_restarts", labels: { reason: "lost" } },
  { from: "workersStuck", name: "worker_restarts", labels: { reason: "stuck" } },
  { from: "workersRecycled", name: "worker_restarts", labels: { reason: "recycled" } },
  { from: "ringFulls", name: "ring_fulls" },
];

/** Counters of the optimiser, all under one name. */
const MIX_COUNTERS = {
  mixApplied: "applied",
  mixReverted: "reverted",
  mixHeld: "held",
  mixOverrides: "override",
  mixKept: "kept",
} as const;

const LAG_RESOLUTION_MS = 20;
/** Further Queues are summed up as "other": names are users', and a label's values must be bounded. */
const LABELS_MAX = 200;
/** How long a scrape waits for the store. */
const STORE_MS = 2_000;

/** Writes one page per scrape. */
export class ForemanMetrics {
  #page: Promise<Page> | null = null;

  /** The page as it is now; before the store is open it holds the process's own numbers only. */
  async collect(running: RunningForeman | null): Promise<{ readonly contentType: string; readonly text: string }> {
    // Loaded at the first scrape: a Foreman that nobody scrapes starts sooner.
    this.#page ??= makePage();
    const page = await this.#page;
    if (running !== null) page.read(running, await running.counts(STORE_MS));
    return { contentType: page.registry.contentType, text: await page.registry.metrics() };
  }
}

interface Page {
  readonly registry: Registry;
  /** `counts`: of the Segment this Node owns; null if the store did not answer. */
  read(running: RunningForeman, counts: CountsAnswer | null): void;
}

async function makePage(): Promise<Page> {
  const {
    Counter: CounterOf,
    Gauge: GaugeOf,
    Registry: RegistryOf,
    collectDefaultMetrics,
  } = await import("prom-client");
  const registry = new RegistryOf();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  for (const { name, labels } of COUNTERS) {
    if (counters.has(name)) continue;
    const help = HELP[name as keyof typeof HELP]; // each name of the list is a key of it
    const labelNames = ["app", ...Object.keys(labels ?? {})];
    counters.set(name, new CounterOf({ name: `millrace_${name}_total`, help, labelNames, registers: [registry] }));
  }
  const gauge = (name: string, help: string, labelNames: readonly string[]): Gauge =>
    new GaugeOf({ name: `millrace_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const workers = gauge("workers", "Workers by kind and state.", ["kind", "state"]);
  const slots = gauge("slots", "Slots of Workers that are ready, used and in all.", ["kind", "status"]);
  const mix = gauge("mix", "The mix as it is wanted: P blocking Workers, A async Workers, C slots of each.", [
    "parameter",
  ]);
  const load = gauge("operations", "Operations in this process: running, or waiting for a slot.", ["status"]);
  const changes = new CounterOf({
    name: "millrace_mix_changes_total",
    help: "Decisions about the mix, by what became of them.",
    labelNames: ["outcome"],
    registers: [registry],
  });
  const urgency = gauge("urgency", "Urgency of each pool; it is helped at once from foreman.urgency_threshold.", [
    "kind",
  ]);
  const depth = gauge("queue_depth", "Operations in this Node's Segment that are ready, by Queue.", ["queue", "state"]);
  const paused = gauge("queue_paused", "1 while a Queue of this Node's Segment is paused.", ["queue"]);
  const segment = gauge("segment_operations", "Operations in this Node's Segment by state.", ["state"]);
  const up = gauge("store_up", "1 if the store answered this scrape.", []);
  const nodes = gauge("nodes_live", "Processes of the App whose beat moves, as this one sees them.", []);
  const orphans = gauge("segments_orphaned", "Segments with work whose Node is gone.", []);
  const skewed = gauge("segments_skewed", "Segments far deeper than the others.", []);
  const heap = gauge("worker_heap_bytes", "JavaScript heap and buffers of each Worker.", ["worker"]);
  const lag = gauge("event_loop_lag_seconds", "Delay of the event loop, 99th percentile since the last scrape.", [
    "thread",
  ]);
  const build = gauge("build_info", "Always 1.", ["version", "node"]);
  const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delay.enable();
  build.set({ version: serverVersion(), node: process.versions.node }, 1);
  return {
    registry,
    read: (running, counts) => {
      const metrics = running.metrics() as Readonly<Record<string, number>>; // counters by name
      for (const { from, name, labels } of COUNTERS) {
        const counter = counters.get(name);
        const value = metrics[from] ?? 0;
        const key = { app: running.appId, ...labels };
        counter?.remove(key);
        counter?.inc(key, value);
      }
      for (const each of [workers, slots, mix, heap, depth, paused, segment]) each.reset();
      up.set(counts === null ? 0 : 1);
      for (const [at, { queue, ready, isPaused }] of (counts?.queues ?? []).entries()) {
        const label = at < LABELS_MAX ? queue : "other";
        depth.inc({ queue: label, state: "ready" }, ready);
        paused.inc({ queue: label }, isPaused ? 1 : 0);
      }
      if (counts !== null) {
        const { scheduled, running: held, dead } = counts;
        for (const [state, value] of Object.entries({ scheduled, running: held, dead })) segment.set({ state }, value);
      }
      for (const { id, kind, state, slots: ofWorker, running: used, heapMb } of running.workers()) {
        workers.inc({ kind, state }, 1);
        heap.set({ worker: id }, heapMb * 1024 * 1024);
        if (state !== "open") continue;
        slots.inc({ kind, status: "total" }, ofWorker);
        slots.inc({ kind, status: "used" }, Math.min(used, ofWorker));
      }
      const wanted = running.mix();
      if (wanted !== null) {
        mix.set({ parameter: "P" }, wanted.blocking);
        mix.set({ parameter: "A" }, wanted.async);
        mix.set({ parameter: "C" }, wanted.slots);
      }
      const optimiser = running.mixMetrics();
      if (optimiser !== null) {
        urgency.set({ kind: "blocking" }, optimiser.urgencyBlocking);
        urgency.set({ kind: "async" }, optimiser.urgencyAsync);
        changes.reset();
        for (const [from, outcome] of Object.entries(MIX_COUNTERS) as [keyof typeof MIX_COUNTERS, string][]) {
          changes.inc({ outcome }, optimiser[from]);
        }
      }
      load.set({ status: "running" }, metrics.running ?? 0);
      load.set({ status: "buffered" }, metrics.buffered ?? 0);
      nodes.set(metrics.nodesLive ?? 0);
      orphans.set(metrics.segmentsOrphaned ?? 0);
      skewed.set(metrics.segmentsSkewed ?? 0);
      lag.set({ thread: "main" }, Math.max(0, delay.percentile(99) / 1e9 - LAG_RESOLUTION_MS / 1000));
      delay.reset();
    },
  };
}

/**
 * What must be seen at least once, in one of the plays of a run, or it proves nothing of it: faults that bit, and the
 * rare ways through the code that only faults lead to. Each entry names the fault that leads to it; where that fault is
 * not played, it is not asked for.
 */
import type { RunVerdict } from "../../checker/invariants.js";
import type { Life, Lives } from "../../checker/lives.js";
import { errandBounds } from "./errands.js";
import type { PlaceKind } from "./place.js";
import type { PlayPlan } from "./profile.js";

/** One thing to be seen. */
interface Entry {
  readonly what: string;
  /** The fault it comes of; left out: of any. */
  readonly of?: string;
  /** Where that can be; left out: everywhere. */
  readonly at?: readonly PlaceKind[];
  /** Whether a plan has what it needs beside the fault. */
  readonly if?: (plan: PlayPlan) => boolean;
}

const fleets: readonly PlaceKind[] = ["redis", "everysec", "sentinel", "cluster"];
const hasPoison = ({ poison }: PlayPlan): boolean => poison > 0;
const hasDoomed = ({ doomed }: PlayPlan): boolean => doomed > 1;
const onRedis = { at: ["redis", "everysec"] } as const;
const onSentinel = { of: "replicas behind, primary killed", at: ["sentinel"] } as const;
/** In shorter plays chance alone decides what is seen. */
const judgedFromMs = 15_000;

/** The list. */
export const SOMETIMES: readonly Entry[] = [
  ...["dedupe hit", "cancel of running", "cancel raced outcome", "thread died"].map((what) => ({ what })),
  ...["failed and retried", "limit reached", "limit lowered", "pause held"].map((what) => ({ what })),
  { what: "rescue", of: "foreman killed" },
  { what: "rescue refused", of: "foreman killed", at: fleets },
  { what: "claim from another Segment", at: fleets },
  { what: "Lease lapsed", of: "foreman stopped", at: fleets },
  { what: "stale outcome refused", of: "foreman stopped", at: fleets },
  { what: "recovered more than once", of: "foreman killed", if: hasPoison },
  { what: "poison ended", at: fleets, if: hasPoison },
  { what: "cancel-marked rescued", at: fleets, if: hasPoison },
  { what: "unknown enqueue that happened", at: fleets, if: hasDoomed },
  { what: "unknown enqueue that did not", at: fleets, if: hasDoomed },
  { what: "claim asked for again", of: "reset before the reply", ...onRedis },
  { what: "library reloaded", of: "functions flushed", ...onRedis },
  { what: "refused OOM", of: "memory full", ...onRedis },
  { what: "MISCONF", of: "disk full", ...onRedis },
  { what: "full and recovered", of: "memory full", ...onRedis },
  { what: "reconciler repaired", ...onRedis },
  { what: "failover", at: ["sentinel"] },
  { what: "failover with rollback", ...onSentinel },
  { what: "announced stale", ...onSentinel },
  { what: "announced missing", ...onSentinel },
  { what: "token compared after a rollback", ...onSentinel },
  { what: "TRYAGAIN or ASK", of: "slot moved", at: ["cluster"] },
  { what: "MOVED", of: "slot moved", at: ["cluster"] },
];

/** What a play must see. */
export function mustSee(plan: PlayPlan): readonly string[] {
  if (plan.harmMs < judgedFromMs) return [];
  const isPlayed = (fault: string): boolean => plan.only.length === 0 || plan.only.includes(fault);
  return SOMETIMES.filter(
    ({ of, at, if: has }) =>
      (of === undefined || isPlayed(of)) && (at?.includes(plan.place) ?? true) && (has?.(plan) ?? true),
  ).map(({ what }) => what);
}

/** What a history shows of that, by name. */
export function sometimesIn({ lives, lost, forgotten }: RunVerdict): Record<string, number> {
  const seen = Object.fromEntries(lives.glimpses);
  const add = (what: string, count = 1): void => {
    seen[what] = (seen[what] ?? 0) + count;
  };
  const happened = new Set<string>();
  const acknowledged = new Set<string>();
  add("Lease lapsed", lives.fenced.size);
  add("pause held", lives.pauses.length);
  add("limit lowered", lives.narrowings.length);
  add("limit reached", reached(lives));
  add("failover with rollback", lost.count + forgotten.length);
  for (const life of lives.byId.values()) {
    const { enqueues, effects, outcomes, end } = life;
    for (const { hash } of enqueues) acknowledged.add(hash);
    for (const { start } of effects) happened.add(start.hash);
    add("stale outcome refused", outcomes.filter(({ answer }) => answer === "stale").length);
    add("token compared after a rollback", comparedIn(life, lives));
    if (end !== null && end.recoveries > 0) add("rescue");
    if (end !== null && end.recoveries > 1) add("recovered more than once");
    if (end?.state === "failed" && effects.some(({ start }) => start.step === "poison")) add("poison ended");
    if (effects.some(({ start }) => start.attempt > 1)) add("failed and retried");
  }
  for (const faults of lives.faultsOf.values())
    add("thread died", faults.filter(({ fault }) => fault === "thread").length);
  for (const [hash, { isRacer = false }] of lives.asks) {
    if (acknowledged.has(hash) || isRacer || lives.refusals.has(hash)) continue;
    add(happened.has(hash) ? "unknown enqueue that happened" : "unknown enqueue that did not");
  }
  return seen;
}

/** Outcomes that were refused since their claim was made by a server whose last moments were forgotten. */
function comparedIn({ effects, outcomes }: Life, { harms }: Lives): number {
  return outcomes.filter(({ answer, token, atMs = 0 }) => {
    const start = effects.find((effect) => effect.start.token === token)?.start;
    return (
      answer === "stale" &&
      start !== undefined &&
      harms.some(
        ({ fromMs, untilMs, losesMs }) =>
          losesMs !== null && start.atMs >= fromMs - losesMs && start.atMs <= untilMs && atMs >= fromMs,
      )
    );
  }).length;
}

/** How often as many ran at once as a cap lets: whoever came next had to wait. */
function reached({ byId }: Lives): number {
  const edges = new Map<string, { readonly atMs: number; readonly by: 1 | -1 }[]>();
  for (const { effects } of byId.values()) {
    for (const { start, done } of effects) {
      if (done === null) continue;
      for (const cap of start.caps ?? []) {
        const list = edges.get(cap) ?? [];
        edges.set(cap, list);
        list.push({ atMs: start.atMs, by: 1 }, { atMs: done.atMs, by: -1 });
      }
    }
  }
  const caps: Readonly<Record<string, number>> = errandBounds.caps;
  let times = 0;
  for (const [cap, list] of edges) {
    list.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
    let running = 0;
    for (const { by } of list) {
      running += by;
      if (by === 1 && running >= (caps[cap] ?? Number.POSITIVE_INFINITY)) times++;
    }
  }
  return times;
}

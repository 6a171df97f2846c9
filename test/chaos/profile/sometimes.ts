/**
 * What must be seen at least once, or a run proves nothing of it: faults that bit, and the rare ways through the code
 * that only faults lead to.
 */
import type { RunVerdict } from "../../checker/invariants.js";
import type { PlaceKind } from "./place.js";

const foremen = [
  "rescue",
  "Lease lapsed",
  "stale outcome refused",
  "recovered more than once",
  "poison ended",
] as const;
const common = [
  ...["dedupe hit", "cancel of running", "cancel raced outcome", "thread died", "failed and retried"],
  ...["limit waited", "pause held"],
] as const;
const clients = ["unknown enqueue that happened", "unknown enqueue that did not"] as const;

/** What a play of a place must see. */
export const SOMETIMES: Readonly<Record<PlaceKind, readonly string[]>> = {
  redis: [...common, ...foremen, ...clients, "claim asked for again", "library reloaded"],
  everysec: [...common, ...foremen, ...clients, "claim asked for again", "library reloaded"],
  sentinel: [...common, ...foremen, ...clients, "failover"],
  cluster: [...common, ...foremen, ...clients, "TRYAGAIN or ASK", "MOVED"],
  embedded: [...common, "rescue"],
};

/** What a history shows of that, by name. */
export function sometimesIn({ lives }: RunVerdict): Record<string, number> {
  const seen = Object.fromEntries(lives.glimpses);
  const add = (what: string, count = 1): void => {
    seen[what] = (seen[what] ?? 0) + count;
  };
  const happened = new Set<string>();
  const acknowledged = new Set<string>();
  add("Lease lapsed", lives.fenced.size);
  add("pause held", lives.pauses.length);
  for (const { enqueues, effects, outcomes, end } of lives.byId.values()) {
    for (const { hash } of enqueues) acknowledged.add(hash);
    for (const { start } of effects) happened.add(start.hash);
    add("stale outcome refused", outcomes.filter(({ answer }) => answer === "stale").length);
    if (end !== null && end.recoveries > 0) add("rescue");
    if (end !== null && end.recoveries > 1) add("recovered more than once");
    if (end?.state === "failed" && effects.some(({ start }) => start.step === "poison")) add("poison ended");
    if (effects.some(({ start }) => start.attempt > 1)) add("failed and retried");
    if (effects.some(({ start }) => (start.caps ?? start.paces) !== undefined)) add("limit waited");
  }
  for (const faults of lives.faultsOf.values())
    add("thread died", faults.filter(({ fault }) => fault === "thread").length);
  for (const [hash, { isRacer = false }] of lives.asks) {
    if (acknowledged.has(hash) || isRacer) continue;
    add(happened.has(hash) ? "unknown enqueue that happened" : "unknown enqueue that did not");
  }
  return seen;
}

/**
 * What the ties of an Operation say of why it does not run: its order key, its limits, its rates. The store judges
 * each by the predicate of its claim; here it becomes words.
 */
import type { LocalDot } from "../engine/lease.js";
import { shownKey } from "../engine/ties.js";
import type { ExplainAnswer, ExplainedGate } from "../engine/transitions.js";
import { type Reason, reasonOf } from "./inspect-reason.js";
import type { Reach } from "./reach.js";
import { gateKind } from "./ties.js";

/** Most holders of a limit that are named. */
const HOLDERS_MAX = 20;

/** What keeps one Operation, as its ties say. */
export interface TieReasons {
  readonly reasons: readonly Reason[];
  /** The key it holds (dedupe, debounce), if any. */
  readonly key: string | null;
  /** How many wait before it where it is kept; null if it is kept nowhere. */
  readonly before: number | null;
}

/** Asks the store what keeps an Operation that waits. Errors: those of the store. */
export async function tieReasons(reach: Reach, segment: string, dot: LocalDot): Promise<TieReasons> {
  const answer = await reach.call((store) => store.explain(segment, { dot, max: HOLDERS_MAX }));
  const { key, line, gates } = answer;
  const full = gates.filter(({ isFull }) => isFull);
  const reasons = [...lineReasons(line), ...full.map(gateReason)];
  const isBehind = line !== null && line.before > 0;
  return {
    reasons,
    key: key === null ? null : shownKey(key),
    before: isBehind ? line.before : (full[0]?.before ?? null),
  };
}

function lineReasons(line: ExplainAnswer["line"]): Reason[] {
  if (line === null || line.before === 0) return [];
  const key = shownKey(line.name);
  const text = `It is number ${line.before + 1} of order key "${key}", of which one runs at a time; ${line.firstId} is first.`;
  const blocker = line.firstId === null ? null : { kind: "operation", id: line.firstId };
  const behind = { ...reasonOf("order_behind", text), blocker };
  if (line.dueAtMs === null || line.dueAtMs === 0) return [behind];
  const until = new Date(line.dueAtMs);
  return [behind, { ...reasonOf("waiting_time", `Then it is due at ${until.toISOString()}, if not later.`), until }];
}

function gateReason({ name, slots, used, opensAtMs, everyMs, isLive, before, holders }: ExplainedGate): Reason {
  const key = shownKey(name);
  const kind = gateKind(name);
  const id = name.slice(0, name.indexOf(":")) + (key === "" ? "" : ` ${key}`);
  const of = key === "" ? "" : ` for "${key}"`;
  const ahead = before === 0 ? "" : `; ${before} wait there before it`;
  const live = isLive ? ", a live limit (app.limits)" : "";
  if (opensAtMs === null) {
    const text = `The concurrency limit ${id.split(" ", 1)[0]}${of} is full: ${used} of ${slots} run${live}${ahead}.`;
    return { ...reasonOf("limit_full", text), blocker: { kind, id }, holders };
  }
  const until = new Date(opensAtMs + before * (everyMs ?? 0));
  const text = `The rate ${id.split(" ", 1)[0]}${of} lets one through every ${everyMs} ms${live}: it may begin at ${until.toISOString()} at the earliest${ahead}.`;
  return { ...reasonOf("rate_empty", text), blocker: { kind, id }, until };
}

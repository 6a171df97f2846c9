/**
 * From the one history of a run to the lives of its Operations: what was asked, acknowledged, begun, ended and found of
 * each. One pass; invariants.ts judges what it collects.
 */
import type { FaultEvent, FinalEvent } from "./foremen.js";
import type { EnqueueEvent, OutcomeEvent } from "./history.js";
import type {
  AskEvent,
  CancelEvent,
  DoneEvent,
  FindingEvent,
  HarmEvent,
  NarrowedEvent,
  PausedEvent,
  RefusedEvent,
  RunEvent,
  StartedEvent,
  StrandedEvent,
  TermsEvent,
  ToldEvent,
} from "./run-history.js";

/** A start and what became of it. */
export interface Effect {
  readonly start: StartedEvent;
  done: DoneEvent | null;
  /** Place in the history. */
  readonly at: number;
}

/** An accepted or refused end of an Attempt, and its place in the history. */
export interface PlacedOutcome extends OutcomeEvent {
  readonly at: number;
}

/** One Operation. */
export interface Life {
  readonly id: string;
  readonly enqueues: (EnqueueEvent & { readonly atMs: number })[];
  terms: TermsEvent | null;
  readonly effects: Effect[];
  readonly outcomes: PlacedOutcome[];
  readonly cancels: CancelEvent[];
  readonly told: ToldEvent[];
  end: FinalEvent | null;
}

/** All that a history tells. */
export interface Lives {
  readonly byId: ReadonlyMap<string, Life>;
  readonly asks: ReadonlyMap<string, AskEvent>;
  readonly harms: readonly HarmEvent[];
  readonly faultsOf: ReadonlyMap<string, readonly FaultEvent[]>;
  /** When the beats of an owner that were taken were sent, ascending. */
  readonly beatsOf: ReadonlyMap<string, readonly number[]>;
  readonly pauses: readonly PausedEvent[];
  readonly narrowings: readonly NarrowedEvent[];
  readonly findings: readonly FindingEvent[];
  readonly stranded: readonly StrandedEvent[];
  /** Enqueues that were refused, by digest. */
  readonly refusals: ReadonlyMap<string, RefusedEvent>;
  readonly glimpses: ReadonlyMap<string, number>;
  /** `id token` whose handler was told that its Lease is lost. */
  readonly fenced: ReadonlySet<string>;
}

/** Reads a history. */
export function collectLives(history: readonly RunEvent[]): Lives {
  const byId = new Map<string, Life>();
  const asks = new Map<string, AskEvent>();
  const harms: HarmEvent[] = [];
  const faultsOf = new Map<string, FaultEvent[]>();
  const beatsOf = new Map<string, number[]>();
  const pauses: PausedEvent[] = [];
  const narrowings: NarrowedEvent[] = [];
  const findings: FindingEvent[] = [];
  const stranded: StrandedEvent[] = [];
  const refusals = new Map<string, RefusedEvent>();
  const glimpses = new Map<string, number>();
  const fenced = new Set<string>();
  const lifeOf = (id: string): Life => {
    let life = byId.get(id);
    if (life === undefined) {
      life = { id, enqueues: [], terms: null, effects: [], outcomes: [], cancels: [], told: [], end: null };
      byId.set(id, life);
    }
    return life;
  };
  for (const [at, event] of history.entries()) {
    switch (event.kind) {
      case "ask":
        asks.set(event.hash, event);
        break;
      case "enqueue":
        lifeOf(event.id).enqueues.push(event);
        break;
      case "terms":
        lifeOf(event.id).terms = event;
        break;
      case "start": {
        const start: StartedEvent = "step" in event ? event : { ...event, step: "" };
        lifeOf(event.id).effects.push({ start, done: null, at });
        break;
      }
      case "done": {
        const { effects } = lifeOf(event.id);
        const effect = effects.findLast(({ start }) => start.token === event.token && start.owner === event.owner);
        if (effect !== undefined) effect.done = event;
        break;
      }
      case "outcome":
        lifeOf(event.id).outcomes.push({ ...event, at });
        break;
      case "cancel":
        lifeOf(event.id).cancels.push(event);
        break;
      case "told":
        lifeOf(event.id).told.push(event);
        break;
      case "end":
        lifeOf(event.id).end = event;
        break;
      case "harm":
        harms.push(event);
        break;
      case "fault":
        push(faultsOf, event.owner, event);
        break;
      case "beat":
        push(beatsOf, event.owner, event.sentMs);
        break;
      case "paused":
        pauses.push(event);
        break;
      case "narrowed":
        narrowings.push(event);
        break;
      case "finding":
        findings.push(event);
        break;
      case "stranded":
        stranded.push(event);
        break;
      case "refused":
        refusals.set(event.hash, event);
        break;
      case "glimpse":
        glimpses.set(event.what, (glimpses.get(event.what) ?? 0) + 1);
        break;
      case "abort":
        if (event.reason === "lease_lost") fenced.add(`${event.id} ${event.token}`);
        break;
    }
  }
  return { byId, asks, harms, faultsOf, beatsOf, pauses, narrowings, findings, stranded, refusals, glimpses, fenced };
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

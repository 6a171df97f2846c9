/**
 * What Foremen under chaos leave behind, and the promises about it that check.ts does not know: why an Operation began
 * again, how soon, and whose outcome was taken.
 *
 * Pure. All times are milliseconds of one monotonic clock that the processes of a machine share, tokens are
 * microseconds by the store's clock. An owner is a process (`p` and its id): its Worker threads die with it.
 */

import { check } from "./check.js";
import { grouped } from "./grouped.js";
import type { Bounds, EndEvent, EnqueueEvent, HistoryEvent, OutcomeEvent, StartEvent } from "./history.js";

/** A handler began. */
export interface BeginEvent extends StartEvent {
  readonly atMs: number;
  /** Place in the order of enqueueing. */
  readonly n: number;
  /** The wall clock its thread saw. */
  readonly wallMs: number;
}

/** A handler saw its abort signal. */
export interface AbortEvent {
  readonly kind: "abort";
  readonly id: string;
  readonly token: number;
  readonly owner: string;
  readonly reason: string;
  readonly atMs: number;
}

/**
 * What happened to a process: it is `up` when it watches others; `gone` is its end after `terminate`, from outside; at
 * `thread` one of its Worker threads died.
 */
export interface FaultEvent {
  readonly kind: "fault";
  readonly fault: "up" | "kill" | "stop" | "continue" | "terminate" | "gone" | "thread";
  readonly owner: string;
  readonly atMs: number;
}

/** What a process held when it was killed, read after its death. */
export interface HoldingEvent {
  readonly kind: "holding";
  readonly owner: string;
  readonly atMs: number;
  readonly held: readonly { readonly id: string; readonly token: number }[];
}

/** The store took back Operations to the front, unharmed; by the wall clock of the store's host, in microseconds. */
export interface BackEvent {
  readonly kind: "back";
  readonly owner: string;
  readonly ids: readonly string[];
  readonly tokens: readonly number[];
  /** When the answer was read. */
  readonly atUs: number;
  /** When it was first asked for: earlier than the answer by more than one call if answers were lost. Default: `atUs`. */
  readonly sentUs?: number;
}

/** A client's wait came back: the result names the token of the Attempt that gave it. */
export interface ResultEvent {
  readonly kind: "result";
  readonly id: string;
  readonly token: number;
  readonly atMs: number;
}

/** What the store says in the end. */
export interface FinalEvent extends EndEvent {
  readonly token: number;
  readonly attempt: number;
  readonly recoveries: number;
  readonly returns: number;
  readonly generation?: number;
  /** Code of its error, when it failed. */
  readonly code?: string;
}

/** One line of the log of a run. */
export type ForemanEvent =
  | (EnqueueEvent & { readonly atMs: number; readonly delayMs?: number })
  | BeginEvent
  | AbortEvent
  | OutcomeEvent
  | FaultEvent
  | HoldingEvent
  | BackEvent
  | ResultEvent
  | FinalEvent;

/** What a run was meant to keep to. */
export interface ForemanBounds {
  /** How long a stopped process keeps what it holds, counted from its last beat. */
  readonly leaseMs: number;
  readonly beatMs: number;
  /**
   * How soon what a killed process held must be taken up again, counted from when another is up that lives so long;
   * null: not judged.
   */
  readonly resumeMs: number | null;
  readonly recoveriesMax: number;
  /** What the store counted in all: completions and rescues. */
  readonly totals: { readonly completed: number; readonly rescued: number };
  /** Nothing may be rescued: all live. */
  readonly isRescueFree: boolean;
  /** Ids that may end otherwise than completed, and begin more often: the poison. */
  readonly exempt?: ReadonlySet<string>;
}

/** A broken promise. */
export interface Breach {
  readonly promise: string;
  readonly id: string;
  readonly says: string;
}

/** What a run showed. */
export interface ForemanVerdict {
  readonly breaches: readonly Breach[];
  readonly figures: {
    readonly acknowledged: number;
    readonly completed: number;
    /** Starts beyond the first of an Operation. */
    readonly startedAgain: number;
    /** Starts of claims whose Lease was lost, by a process that had stood still and had them in a Worker's hands. */
    readonly zombies: number;
    /** Handlers that were told `lease_lost`. */
    readonly fenced: number;
    /** Outcomes that were refused as stale. */
    readonly stale: number;
    readonly rescued: number;
    readonly kills: number;
    /** Operations held by a process when it was killed. */
    readonly heldAtKills: number;
    /** Those of them that no process lived long enough to watch: no bound holds for them. */
    readonly unwatched: number;
    /** Kill → taken up again, for each of them, ascending. */
    readonly resumedMs: readonly number[];
    /** Operations that Foremen gave back to the front, unharmed. */
    readonly givenBack: number;
    /** Terminate → gone, ascending. */
    readonly stopMs: readonly number[];
  };
}

/** Judges a whole run: the promises of check.ts, and those of the Foremen. */
export function judgeForemen(history: readonly ForemanEvent[], bounds: ForemanBounds): ForemanVerdict {
  const { awake, zombies } = withoutZombies(history, bounds);
  const run = collect(awake);
  const breaches: Breach[] = [];
  const accuse = (promise: string, id: string, says: string): void => void breaches.push({ promise, id, says });
  const exempt = bounds.exempt ?? new Set<string>();
  const within: Bounds = { attemptsMax: 1, recoveriesMax: bounds.recoveriesMax, isFaultFree: bounds.isRescueFree };
  const known = awake.filter(({ kind }) => knownToCheck.has(kind)) as HistoryEvent[]; // by their kinds
  for (const { promise, id, says } of check(known, within)) accuse(promise, id, says);

  let startedAgain = 0;
  for (const [id, life] of run.lives) {
    if (exempt.has(id)) continue;
    startedAgain += Math.max(0, life.starts.length - 1);
    judgeCauses(id, life, run, bounds, accuse);
    judgeEnd(id, life, accuse);
  }
  const completed = [...run.lives.values()].filter(({ end }) => end?.state === "completed").length;
  if (completed !== bounds.totals.completed) {
    accuse(
      "one completion",
      "*",
      `the store accepted ${bounds.totals.completed} completions of ${completed} Operations`,
    );
  }
  if (bounds.isRescueFree && bounds.totals.rescued > 0) {
    accuse("no wrong rescue", "*", `${bounds.totals.rescued} Operations were rescued though all Foremen lived`);
  }
  const { resumedMs, unwatched } = judgeResumption(run, bounds, accuse);
  const { stopMs, givenBack } = judgeStops(run, accuse);
  return {
    breaches,
    figures: {
      acknowledged: new Set(history.flatMap((event) => (event.kind === "enqueue" ? [event.id] : []))).size,
      completed,
      startedAgain,
      zombies,
      fenced: run.fenced.size,
      stale: [...run.lives.values()].reduce((sum, { stale }) => sum + stale, 0),
      rescued: bounds.totals.rescued,
      kills: run.faults.filter(({ fault }) => fault === "kill").length,
      heldAtKills: run.holdings.reduce((sum, one) => (run.isKill(one) ? sum + one.held.length : sum), 0),
      unwatched,
      resumedMs,
      givenBack,
      stopMs,
    },
  };
}

const knownToCheck: ReadonlySet<string> = new Set<HistoryEvent["kind"]>(["enqueue", "start", "outcome", "end"]);

/** A kill is noted before it is sent, and reaches all threads of a busy machine a little later. */
const dyingMs = 250;
/** A beat that was due when its process was stopped, and one whose answer had not been read. */
const beatsMissed = 2;

type Accuse = (promise: string, id: string, says: string) => void;

/**
 * Takes out what a process that had stood still for a Lease began by a token that another had followed: it lay in a
 * Worker's hands and may begin there before its Foreman, which wakes at the same time, can take it back. Its outcome is
 * refused like any other's; how often it happened is told.
 */
function withoutZombies(
  history: readonly ForemanEvent[],
  bounds: ForemanBounds,
): { readonly awake: readonly ForemanEvent[]; readonly zombies: number } {
  const newest = new Map<string, number>();
  const stoppedMs = new Map<string, number>();
  const awake = history.filter((event) => {
    if (event.kind === "fault" && event.fault === "stop") stoppedMs.set(event.owner, event.atMs);
    if (event.kind !== "start") return true;
    const sinceMs = event.atMs - (stoppedMs.get(event.owner) ?? Number.POSITIVE_INFINITY);
    const isFollowed = event.token < (newest.get(event.id) ?? 0);
    if (!isFollowed) newest.set(event.id, event.token);
    return !isFollowed || sinceMs < bounds.leaseMs;
  });
  return { awake, zombies: history.length - awake.length };
}

interface Life {
  readonly starts: BeginEvent[];
  stale: number;
  result: ResultEvent | null;
  end: FinalEvent | null;
}

interface Run {
  readonly lives: Map<string, Life>;
  readonly faults: FaultEvent[];
  readonly faultsOf: Map<string, FaultEvent[]>;
  readonly holdings: HoldingEvent[];
  readonly backs: BackEvent[];
  /** `id token` of what its owner told to end, since it could not prove that it lives. */
  readonly fenced: Set<string>;
  readonly isKill: (holding: HoldingEvent) => boolean;
}

function collect(history: readonly ForemanEvent[]): Run {
  const lives = new Map<string, Life>();
  const lifeOf = (id: string): Life => {
    let life = lives.get(id);
    if (life === undefined) {
      life = { starts: [], stale: 0, result: null, end: null };
      lives.set(id, life);
    }
    return life;
  };
  const faults: FaultEvent[] = [];
  const holdings: HoldingEvent[] = [];
  const backs: BackEvent[] = [];
  const fenced = new Set<string>();
  for (const event of history) {
    switch (event.kind) {
      case "enqueue":
        lifeOf(event.id);
        break;
      case "start":
        lifeOf(event.id).starts.push(event);
        break;
      case "outcome":
        if (event.answer === "stale") lifeOf(event.id).stale++;
        break;
      case "result":
        lifeOf(event.id).result = event;
        break;
      case "end":
        lifeOf(event.id).end = event;
        break;
      case "fault":
        faults.push(event);
        break;
      case "holding":
        holdings.push(event);
        break;
      case "back":
        backs.push(event);
        break;
      case "abort":
        if (event.reason === "lease_lost") fenced.add(`${event.id} ${event.token}`);
        break;
    }
  }
  const faultsOf = grouped(faults, ({ owner }) => owner);
  const isKill = ({ owner }: HoldingEvent): boolean =>
    faultsOf.get(owner)?.some(({ fault }) => fault === "kill") ?? false;
  return { lives, faults, faultsOf, holdings, backs, fenced, isKill };
}

/** Each start beyond the first has a reason: its last owner was killed, stood still for a Lease, or gave it up in time. */
function judgeCauses(id: string, { starts }: Life, run: Run, bounds: ForemanBounds, accuse: Accuse): void {
  for (const start of starts) {
    if (start.attempt !== 1)
      accuse("no Attempt spent", id, `it began as Attempt ${start.attempt} and had never failed`);
  }
  for (const [i, start] of starts.entries()) {
    const last = starts[i - 1];
    if (last === undefined) continue;
    const faults = (run.faultsOf.get(last.owner) ?? []).filter(({ atMs }) => atMs <= start.atMs);
    const isDead = faults.some(({ fault, atMs }) => fault === "kill" && atMs + dyingMs >= last.atMs);
    // Its Lease counts from its last beat, which may be a little older than its stop.
    const stillMs = bounds.leaseMs - beatsMissed * bounds.beatMs;
    const stoodStill = faults.some(({ fault, atMs }) => fault === "stop" && start.atMs - atMs >= stillMs);
    if (!isDead && !stoodStill && !run.fenced.has(`${id} ${last.token}`)) {
      accuse("no start without a cause", id, `${start.owner} began it again while ${last.owner} lived and had it`);
    }
  }
}

/** One outcome was accepted, and it is that of the last owner. */
function judgeEnd(id: string, { starts, result, end }: Life, accuse: Accuse): void {
  if (end === null || end.state !== "completed") {
    if (end !== null && end.state !== "missing") accuse("all completed", id, `it is ${end.state} in the end`);
    return;
  }
  if (end.attempt !== 1) accuse("no Attempt spent", id, `it ended as Attempt ${end.attempt} and had never failed`);
  const newest = Math.max(...starts.map(({ token }) => token));
  if (starts.length > 0 && end.token !== newest) {
    accuse("fencing", id, `token ${newest} was its last owner's, the outcome of ${end.token} was taken`);
  }
  if (result === null) accuse("no loss", id, "it completed and its client was never told");
  else if (result.token !== end.token) {
    accuse("one completion", id, `its client got the outcome of ${result.token}, the store has that of ${end.token}`);
  }
}

/** What a killed process held is taken up again in time. Taken up and held at another kill counts as taken up. */
function judgeResumption(run: Run, bounds: ForemanBounds, accuse: Accuse): { resumedMs: number[]; unwatched: number } {
  const resumedMs: number[] = [];
  let unwatched = 0;
  const kills = run.holdings.filter(run.isKill);
  for (const kill of kills) {
    const deadlineMs = bounds.resumeMs === null ? Number.POSITIVE_INFINITY : deadlineOf(kill, run, bounds.resumeMs);
    for (const { id, token } of kill.held) {
      if (bounds.exempt?.has(id)) continue;
      const spareMs =
        kills.filter(({ atMs, held }) => atMs <= kill.atMs && held.some((one) => one.id === id)).length >= suspectKills
          ? suspectSpareMs
          : 0;
      const life = run.lives.get(id);
      const starts = life?.starts.filter((start) => start.token > token) ?? [];
      const later = kills.filter((other) => other.held.some((one) => one.id === id && one.token > token));
      const nextMs = Math.min(...starts.map(({ atMs }) => atMs), ...later.map(({ atMs }) => atMs));
      if (nextMs === Number.POSITIVE_INFINITY) {
        // Its outcome may have been on its way when its owner died.
        if (life?.end?.token !== token)
          accuse("resumed", id, `${kill.owner} held it when it was killed; nobody resumed it`);
        continue;
      }
      resumedMs.push(nextMs - kill.atMs);
      if (deadlineMs === Number.POSITIVE_INFINITY) unwatched++;
      if (nextMs > deadlineMs + spareMs) {
        const lateMs = Math.round(nextMs - deadlineMs - spareMs);
        accuse(
          "resumed",
          id,
          `it was resumed ${Math.round(nextMs - kill.atMs)} ms after ${kill.owner} was killed, ${lateMs} ms late`,
        );
      }
    }
  }
  return { resumedMs: resumedMs.sort((a, b) => a - b), unwatched };
}

/** What was held at so many kills may be what kills: it is let in one at a time, and so a little later. */
const suspectKills = 2;
const suspectSpareMs = 3_000;

/** When somebody who was up from the kill on, or since, and lived long enough, must have taken up what was held. */
function deadlineOf(kill: HoldingEvent, run: Run, resumeMs: number): number {
  let deadlineMs = Number.POSITIVE_INFINITY;
  for (const [owner, faults] of run.faultsOf) {
    const up = faults.find(({ fault }) => fault === "up");
    if (owner === kill.owner || up === undefined) continue;
    const ownMs = Math.max(up.atMs, kill.atMs) + resumeMs;
    const harmedMs = Math.min(...faults.flatMap(({ fault, atMs }) => (harms.has(fault) ? [atMs] : [])));
    if (ownMs < harmedMs) deadlineMs = Math.min(deadlineMs, ownMs);
  }
  return deadlineMs;
}

const harms: ReadonlySet<FaultEvent["fault"]> = new Set(["kill", "stop", "terminate"]);

/**
 * What was given back stands at the front in its old order: once it is there, nothing behind it is claimed before it.
 * Tokens tell the order of claims.
 */
function judgeStops(run: Run, accuse: Accuse): { stopMs: number[]; givenBack: number } {
  const stopMs: number[] = [];
  for (const faults of run.faultsOf.values()) {
    const terminate = faults.find(({ fault }) => fault === "terminate");
    const gone = faults.find(({ fault }) => fault === "gone");
    if (terminate !== undefined && gone !== undefined) stopMs.push(gone.atMs - terminate.atMs);
  }
  const claims = [...run.lives.values()].flatMap(({ starts }) => starts).sort((a, b) => a.token - b.token);
  /** Id → how it came back last: what came back later stands before it, wherever it stood at first. */
  const backOf = new Map<string, BackEvent>();
  const timesBack = new Map<string, number>();
  for (const back of run.backs) {
    for (const id of back.ids) {
      backOf.set(id, back);
      timesBack.set(id, (timesBack.get(id) ?? 0) + 1);
    }
  }
  // It came back in a way that nobody wrote down: by a rescue, or its process died before it heard of it.
  const hasUnknown = (id: string): boolean => (run.lives.get(id)?.end?.returns ?? 0) > (timesBack.get(id) ?? 0);
  for (const back of run.backs) {
    const { ids, tokens, atUs, sentUs = atUs } = back;
    for (const [i, id] of ids.entries()) {
      const next = run.lives.get(id)?.starts.find(({ token }) => token > (tokens[i] ?? 0));
      if (next === undefined || backOf.get(id) !== back || hasUnknown(id)) continue;
      const before = claims.find(({ token, n, id: other }) => {
        if (token <= atUs || token >= next.token || n <= next.n) return false;
        if (hasUnknown(other)) return false;
        const its = backOf.get(other);
        // What never came back stands where it stood at first; what did so more often stands where it came to stand.
        if (its === undefined) return true;
        return timesBack.get(id) === 1 && timesBack.get(other) === 1 && (its === back || its.atUs <= sentUs);
      });
      if (before !== undefined) accuse("order at the front", id, `${before.id} stood behind it and began before it`);
    }
  }
  return { stopMs: stopMs.sort((a, b) => a - b), givenBack: backOf.size };
}

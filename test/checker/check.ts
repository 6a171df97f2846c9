/**
 * From a history to the promises it breaks: one pass that collects what is known of each id, one that judges it.
 *
 * Pure. Events of one id must stand in the order in which they happened; a start is logged before its handler does
 * anything, an outcome after its answer. What happened between two events of different ids does not matter.
 */
import { isTerminal } from "@millrace/core/internal";
import type {
  Bounds,
  EndEvent,
  EnqueueEvent,
  HistoryEvent,
  OutcomeEvent,
  PromiseName,
  StartEvent,
  Violation,
} from "./history.js";

/** All that was recorded of one id. */
interface Life {
  readonly enqueues: EnqueueEvent[];
  readonly starts: StartEvent[];
  readonly outcomes: OutcomeEvent[];
  end: EndEvent | null;
  /** Starts that were logged after a completion of their generation had been accepted. */
  readonly startsAfterEnd: StartEvent[];
}

/** Names every broken promise of a history; an empty answer is a good history. */
export function check(history: readonly HistoryEvent[], bounds: Bounds): Violation[] {
  const violations: Violation[] = [];
  for (const [id, life] of collect(history)) {
    const accuse = (promise: PromiseName, says: string): void => {
      violations.push({ promise, id, says });
    };
    judgeOrigin(life, accuse);
    judgeLoss(life, accuse);
    judgeOutcomes(life, accuse);
    judgeTokens(life, accuse);
    judgeStarts(life, bounds, accuse);
  }
  return violations;
}

type Accuse = (promise: PromiseName, says: string) => void;

function collect(history: readonly HistoryEvent[]): Map<string, Life> {
  const lives = new Map<string, Life>();
  for (const event of history) {
    let life = lives.get(event.id);
    if (life === undefined) {
      life = { enqueues: [], starts: [], outcomes: [], end: null, startsAfterEnd: [] };
      lives.set(event.id, life);
    }
    switch (event.kind) {
      case "enqueue":
        life.enqueues.push(event);
        break;
      case "start":
        if (completions(life).some(({ generation }) => generation === event.generation))
          life.startsAfterEnd.push(event);
        life.starts.push(event);
        break;
      case "outcome":
        life.outcomes.push(event);
        break;
      case "end":
        life.end = event;
        break;
    }
  }
  return lives;
}

/** Every start follows an enqueue of that id and those bytes; refused ones do not count. */
function judgeOrigin({ enqueues, starts }: Life, accuse: Accuse): void {
  const sent = enqueues.filter(({ answer }) => answer !== "refused");
  for (const start of starts) {
    if (sent.length === 0) accuse("no fabrication", "it started and was never enqueued");
    else if (!sent.some(({ hash }) => hash === start.hash))
      accuse("fidelity", "it started with bytes that nobody enqueued");
  }
}

/** What was acknowledged is in the store in the end, and has ended. */
function judgeLoss({ enqueues, outcomes, starts, end }: Life, accuse: Accuse): void {
  const isAcknowledged = enqueues.some(({ answer }) => answer === "acknowledged");
  if (end === null) {
    if (isAcknowledged) accuse("no loss", "it was acknowledged and nobody looked for it in the end");
    return;
  }
  if (end.state === "missing") {
    if (isAcknowledged) accuse("no loss", "it was acknowledged and is missing in the end");
    else if (outcomes.some(({ answer }) => answer === "ok"))
      accuse("no loss", "an outcome was accepted and it is missing in the end");
    return;
  }
  if (enqueues.length === 0) accuse("no fabrication", `it is ${end.state} in the end and was never enqueued`);
  if (end.state === "pruned" || isTerminal(end.state)) {
    if (end.state === "completed" && starts.length === 0) accuse("no fabrication", "it completed and never started");
    return;
  }
  accuse("drained", `it is still ${end.state} in the end`);
}

/** A token's outcome is accepted once, a generation completes once; an accepted one needs a start. */
function judgeOutcomes(life: Life, accuse: Accuse): void {
  const accepted = life.outcomes.filter(({ answer }) => answer === "ok");
  for (const [token, same] of grouped(accepted, ({ token }) => token)) {
    if (same.length > 1) accuse("one accepted outcome", `${same.length} outcomes of token ${token} were accepted`);
  }
  const tokensCompleted = grouped(completions(life), ({ generation }) => generation);
  for (const [generation, same] of tokensCompleted) {
    const tokens = new Set(same.map(({ token }) => token));
    if (tokens.size > 1)
      accuse("one completion", `generation ${generation} completed by tokens ${[...tokens].join(" and ")}`);
  }
  for (const outcome of accepted) {
    if (!life.starts.some(({ token }) => token === outcome.token) && outcome.transition === "complete") {
      accuse("no fabrication", `token ${outcome.token} completed and never started`);
    }
  }
}

/** The tokens an Operation runs by rise; one token belongs to one owner and one start. */
function judgeTokens({ starts }: Life, accuse: Accuse): void {
  let last: StartEvent | null = null;
  for (const [token, same] of grouped(starts, ({ token }) => token)) {
    if (same.length > 1) {
      const owners = new Set(same.map(({ owner }) => owner));
      accuse("owner and token once", `token ${token} started ${same.length} times, by ${[...owners].join(" and ")}`);
    }
  }
  for (const start of starts) {
    if (last !== null && start.token < last.token) {
      accuse("tokens rise", `it started by token ${start.token} after ${last.token}`);
    }
    last = start;
  }
}

/** Starts are bounded by Attempts, recoveries and releases; without faults, a handler starts once per Attempt. */
function judgeStarts({ starts, outcomes, startsAfterEnd }: Life, bounds: Bounds, accuse: Accuse): void {
  for (const start of startsAfterEnd) {
    accuse("no start after the end", `it started by token ${start.token} after its completion was accepted`);
  }
  for (const [generation, same] of grouped(starts, ({ generation }) => generation)) {
    const releases = outcomes.filter(
      (outcome) => outcome.generation === generation && outcome.transition === "release" && outcome.answer !== "stale",
    );
    const tokensReleased = new Set(releases.map(({ token }) => token)).size;
    const recoveries = bounds.isFaultFree ? 0 : bounds.recoveriesMax;
    const allowed = bounds.attemptsMax + recoveries + tokensReleased;
    if (same.length > allowed) {
      accuse("bounded starts", `generation ${generation} started ${same.length} times, ${allowed} are allowed`);
    }
    if (!bounds.isFaultFree) continue;
    for (const [attempt, twice] of grouped(same, ({ attempt }) => attempt)) {
      if (twice.length > 1 + tokensReleased) {
        accuse("bounded starts", `Attempt ${attempt} started ${twice.length} times and nothing had failed`);
      }
    }
  }
}

/** Completions known to have been accepted: `duplicate` says so as well as `ok`. */
function completions(life: Pick<Life, "outcomes">): OutcomeEvent[] {
  return life.outcomes.filter(
    ({ transition, answer }) => transition === "complete" && (answer === "ok" || answer === "duplicate"),
  );
}

function grouped<T, Key>(elements: readonly T[], keyOf: (element: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const element of elements) {
    const key = keyOf(element);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [element]);
    else group.push(element);
  }
  return groups;
}

/**
 * The invariants of a run, by the numbers of the plan: each is one small judge of lives, and names what broke it.
 *
 * Pure. A good history yields nothing. Where the store may roll back (a failover that does not wait for replicas), what
 * touches the window that may be lost is told apart as forgotten: it is measured and is no violation.
 */

import { grouped } from "./grouped.js";
import { endOf, hasDied, isHurt, stoodStill } from "./hurts.js";
import { judgeCaps, judgeNarrowings, judgePaces } from "./limits.js";
import { judgeLines } from "./lines.js";
import { collectLives, type Effect, type Life, type Lives } from "./lives.js";
import type { HarmEvent, RunBounds, RunEvent } from "./run-history.js";
import type { Accuse, InvariantId, Violation } from "./violation.js";

/** What a history shows. */
export interface RunVerdict {
  readonly violations: readonly Violation[];
  /** What would be a violation, of Operations in the window that a rollback may forget. */
  readonly forgotten: readonly Violation[];
  /** Acknowledged and gone, inside the window. `spanMs`: from the first such acknowledgement to the fault. */
  readonly lost: { readonly count: number; readonly spanMs: number };
  /** Starts and ends by a process that had stood still for a Lease and did not know it yet. */
  readonly zombies: number;
  /** Effects that began while an earlier one of the same Operation still ran, with a cause or without. */
  readonly concurrent: number;
  readonly lives: Lives;
}

/** What a rollback may undo. */
const FORGETTABLE: ReadonlySet<InvariantId> = new Set([
  "I2",
  "I4",
  "I7",
  "I8",
  "I10",
  "I11",
  "I12",
  "I14",
  "I15",
  "I25",
  "I26",
  "I40",
]);
/** Judges a history. */
export function judgeRun(history: readonly RunEvent[], bounds: RunBounds): RunVerdict {
  const lives = collectLives(history);
  const violations: Violation[] = [];
  const forgotten: Violation[] = [];
  const windows = lives.harms.filter(({ losesMs }) => losesMs !== null);
  const isTouched = (id: string): boolean => {
    const life = lives.byId.get(id);
    return bounds.mayRollBack && life !== undefined && windows.some((harm) => isWithin(life, harm));
  };
  const accuse: Accuse = (invariant, id, says, also = id) => {
    const list = FORGETTABLE.has(invariant) && (isTouched(id) || isTouched(also)) ? forgotten : violations;
    list.push({ invariant, id, says });
  };
  const zombies = { count: 0 };
  const concurrent = { count: 0 };
  const lost = { count: 0, spanMs: 0 };
  for (const life of lives.byId.values()) {
    judgeOrigin(life, lives, accuse);
    if (bounds.isCut !== true) judgeLoss(life, windows, lost, accuse);
    judgeStates(life, bounds, accuse);
    judgeTokens(life, lives, accuse);
    judgeOutcomes(life, accuse);
    judgeStarts(life, bounds, accuse);
    judgeOverlap(life, lives, bounds, concurrent, accuse);
    judgeCauses(life, lives, bounds, accuse);
    judgeFence(life, lives, bounds, zombies, accuse);
  }
  judgeSameness(lives, accuse);
  judgeBatches(lives, accuse);
  for (const { id, finding } of lives.findings) accuse("I7", id, `the store contradicts itself at rest: ${finding}`);
  for (const { id, token, owner } of lives.stranded)
    accuse("L5", id, `${owner} runs it by token ${token}, says the store, and was never told so`);
  judgeLines(lives, bounds, accuse);
  judgeCaps(lives, bounds, accuse);
  judgeNarrowings(lives, accuse);
  judgePaces(lives, bounds, accuse);
  judgePauses(lives, accuse);
  return { violations, forgotten, lost, zombies: zombies.count, concurrent: concurrent.count, lives };
}

/** I1, I5: what starts was asked for, with these bytes. */
function judgeOrigin({ id, enqueues, effects, end }: Life, lives: Lives, accuse: Accuse): void {
  for (const { start } of effects) {
    const refusal = lives.refusals.get(start.hash);
    if (refusal !== undefined)
      accuse("I1", id, `it started, and its client was told that it was refused: ${refusal.code}`);
    if (enqueues.length > 0) {
      if (!enqueues.some(({ hash }) => hash === start.hash))
        accuse("I5", id, "it started with other bytes than were acknowledged");
    } else if (!lives.asks.has(start.hash)) accuse("I1", id, "it started and nobody ever asked for it");
  }
  if (end?.state === "completed" && effects.length === 0) accuse("I1", id, "it completed and never started");
}

/** I2, I3: what was acknowledged ends, unless it lies in a window that its level does not cover. */
function judgeLoss(
  { id, enqueues, end, told }: Life,
  windows: readonly HarmEvent[],
  lost: { count: number; spanMs: number },
  accuse: Accuse,
): void {
  const acknowledged = enqueues.find(({ answer }) => answer === "acknowledged");
  if (acknowledged === undefined) return;
  // What a client was told about its end has been there.
  if (end === null) return accuse("I2", id, "it was acknowledged and nobody looked for it in the end");
  if (end.state !== "missing") return;
  if (windows.length === 0) return accuse("I2", id, "it was acknowledged and is missing in the end");
  // It may have begun, ended, and been told to its client, too: in the same last moments.
  const covering = windows.find(
    ({ fromMs, untilMs, losesMs }) =>
      acknowledged.atMs >= fromMs - (losesMs ?? 0) &&
      acknowledged.atMs <= untilMs &&
      told.every(({ atMs }) => atMs <= untilMs),
  );
  if (covering === undefined)
    return accuse("I3", id, "it was acknowledged outside every window of loss and is missing");
  lost.count++;
  lost.spanMs = Math.max(lost.spanMs, covering.fromMs - acknowledged.atMs);
}

/** I7, L1: its events are a word of the state machine, and it is over in the end. */
function judgeStates({ id, effects, outcomes, cancels, told, end }: Life, bounds: RunBounds, accuse: Accuse): void {
  for (const { start } of effects) {
    const failures = outcomes.filter(
      ({ transition, answer, generation, token }) =>
        transition === "fail" && answer !== "stale" && generation === start.generation && token < start.token,
    );
    if (start.attempt > 1 + new Set(failures.map(({ token }) => token)).size + thrown(effects, outcomes, start.token))
      accuse("I7", id, `Attempt ${start.attempt} began after ${failures.length} failures`);
  }
  if (end === null) return;
  const has = (transition: string): boolean =>
    outcomes.some((one) => one.transition === transition && one.answer !== "stale");
  const isAnswered = (token: number): boolean =>
    outcomes.some((one) => one.token === token && one.answer !== "unknown");
  const lost = effects.some(({ done, start }) => done === null || !isAnswered(start.token));
  switch (end.state) {
    case "missing":
    case "pruned":
      break;
    case "completed":
      if (effects.length > 0 && !has("complete") && !lost) accuse("I7", id, "it completed without a completion");
      break;
    case "failed":
      // The rescue that would be one too many ends it, and counts no more.
      if (!has("fail") && end.recoveries < bounds.recoveriesMax && !lost)
        accuse("I7", id, "it failed without a failure");
      break;
    case "cancelled":
      if (cancels.length === 0) accuse("I7", id, "it was cancelled and nobody had asked for that");
      break;
    case "skipped":
      break;
    default:
      accuse("L1", id, `it is still ${end.state} in the end`);
  }
  for (const { state } of told)
    if (state !== end.state && end.state !== "missing" && end.state !== "pruned")
      accuse("I11", id, `its client was told ${state}, and in the end it is ${end.state}`);
}

/** Attempts whose process died before it could write down how the store answered. */
function thrown(effects: readonly Effect[], outcomes: Life["outcomes"], before: number): number {
  return effects.filter(({ start }) => start.token < before && !outcomes.some(({ token }) => token === start.token))
    .length;
}

/** I8, I9: tokens rise with Attempts and generations; one token is one owner's, once. */
function judgeTokens({ id, effects }: Life, lives: Lives, accuse: Accuse): void {
  const sorted = [...effects].sort((a, b) => a.start.token - b.start.token);
  for (const [i, { start }] of sorted.entries()) {
    const last = sorted[i - 1]?.start;
    if (last === undefined) continue;
    if (last.token === start.token) {
      if (last.owner !== start.owner)
        accuse("I9", id, `${last.owner} and ${start.owner} both had token ${start.token}`);
      else accuse("I8", id, `token ${start.token} was started twice`);
      continue;
    }
    const isLater =
      start.generation > last.generation || (start.generation === last.generation && start.attempt >= last.attempt);
    if (!isLater)
      accuse(
        "I8",
        id,
        `Attempt ${start.attempt} has token ${start.token}, the earlier Attempt ${last.attempt} a lower one`,
      );
  }
  let highest = 0;
  for (const { start } of effects) {
    if (start.token < highest && !stoodStill(start.owner, start.atMs, 0, lives))
      accuse("I8", id, `it started by token ${start.token} after ${highest}`);
    highest = Math.max(highest, start.token);
  }
}

/** I10, I11: one outcome is accepted of each Attempt, the last owner's; after a completion nothing begins. */
function judgeOutcomes({ id, effects, outcomes, end }: Life, accuse: Accuse): void {
  const accepted = outcomes.filter(({ answer, transition }) => answer === "ok" && transition !== "release");
  const attemptOf = new Map(effects.map(({ start }) => [start.token, `${start.generation}.${start.attempt}`]));
  const taken = new Map<string, number>();
  for (const { token, generation } of accepted) {
    const attempt = attemptOf.get(token) ?? `${generation}.token ${token}`;
    const other = taken.get(attempt);
    if (other === token) accuse("I10", id, `two outcomes of token ${token} were accepted`);
    else if (other !== undefined)
      accuse("I10", id, `outcomes of tokens ${other} and ${token} were accepted of one Attempt`);
    taken.set(attempt, token);
  }
  const completions = outcomes.filter(({ transition, answer }) => transition === "complete" && answer === "ok");
  for (const completion of completions) {
    const later = effects.find(
      ({ start }) => start.token > completion.token && start.generation === completion.generation,
    );
    if (later === undefined) continue;
    if (later.at > completion.at) accuse("I11", id, `it started by token ${later.start.token} after it had completed`);
    else
      accuse("I10", id, `token ${later.start.token} owned it, and the completion of ${completion.token} was accepted`);
  }
  const completed = completions.at(-1);
  if (end === null || completed === undefined || end.state === "missing" || end.state === "pruned") return;
  if (end.generation !== undefined && end.generation !== completed.generation) return;
  if (end.state !== "completed") accuse("I11", id, `its completion was accepted, and it is ${end.state} in the end`);
  else if (end.token !== completed.token)
    accuse("I10", id, `the completion of ${completed.token} was accepted, the store has that of ${end.token}`);
}

/** I12, I13: starts are bounded; counters never fall; past the cap it is a dead letter. */
function judgeStarts({ id, effects, outcomes, terms, end }: Life, bounds: RunBounds, accuse: Accuse): void {
  for (const [generation, same] of grouped(effects, ({ start }) => start.generation)) {
    const released = outcomes.filter((one) => one.generation === generation && one.transition === "release");
    const step = same[0]?.start.step ?? "";
    const attempts = bounds.attemptsMax[step] ?? 1;
    const recoveries = bounds.isFaultFree ? 0 : bounds.recoveriesMax;
    const allowed = attempts + recoveries + new Set(released.map(({ token }) => token)).size;
    if (same.length > allowed) accuse("I12", id, `it started ${same.length} times, ${allowed} are allowed`);
    const most = Math.max(...same.map(({ start }) => start.attempt));
    if (most > attempts) accuse("I12", id, `Attempt ${most} began, it has ${attempts}`);
    const sorted = [...same].sort((a, b) => a.start.token - b.start.token);
    for (const [i, { start }] of sorted.entries()) {
      const last = sorted[i - 1]?.start;
      if (last !== undefined && start.attempt < last.attempt)
        accuse("I12", id, `Attempt ${start.attempt} followed Attempt ${last.attempt}`);
    }
  }
  if (end !== null && end.recoveries > bounds.recoveriesMax && end.state !== "failed" && end.state !== "cancelled")
    accuse("I12", id, `it was recovered ${end.recoveries} times and is ${end.state}`);
  if (terms?.isAtMostOnce === true && effects.length > 1)
    accuse("I13", id, `it may start once and started ${effects.length} times`);
}

/** I14: effects of one Operation do not overlap, unless a fault longer than its Lease hit the owner. */
function judgeOverlap(
  { id, effects }: Life,
  lives: Lives,
  bounds: RunBounds,
  concurrent: { count: number },
  accuse: Accuse,
): void {
  const sorted = [...effects].sort((a, b) => a.start.token - b.start.token);
  for (const [i, next] of sorted.entries()) {
    const last = sorted[i - 1];
    if (last === undefined || last.start.token === next.start.token) continue;
    const untilMs = endOf(last, lives);
    if (untilMs <= next.start.atMs || last.start.atMs >= (next.done?.atMs ?? Number.POSITIVE_INFINITY)) continue;
    concurrent.count++;
    if (lives.fenced.has(`${id} ${last.start.token}`)) continue;
    if (isHurt(last, next.start.atMs, lives, bounds)) continue;
    const { owner } = last.start;
    const overMs = Math.round(untilMs - next.start.atMs);
    accuse("I14", id, `${next.start.owner} began it while ${owner} still ran it, for ${overMs} ms`);
  }
}

/** I15: a second start of one Attempt has a cause: its owner died, lost a thread, lost its Lease, or gave it back. */
function judgeCauses({ id, effects, outcomes }: Life, lives: Lives, bounds: RunBounds, accuse: Accuse): void {
  const sorted = [...effects].sort((a, b) => a.start.token - b.start.token);
  for (const [i, { start }] of sorted.entries()) {
    const last = sorted[i - 1];
    if (last === undefined || last.start.generation !== start.generation || last.start.attempt !== start.attempt)
      continue;
    if (outcomes.some((one) => one.token === last.start.token && one.transition === "release")) continue;
    if (bounds.isFaultFree) {
      accuse("I15", id, `Attempt ${start.attempt} began twice and there was no fault`);
      continue;
    }
    if (lives.fenced.has(`${id} ${last.start.token}`) || hasDied(last, lives)) continue;
    if (isHurt(last, start.atMs, lives, bounds)) continue;
    accuse("I15", id, `${start.owner} began it again while ${last.start.owner} lived and had it`);
  }
}

/** I16: nothing is begun or ended later than a Lease after the last beat that was taken was sent. */
function judgeFence(
  { id, effects }: Life,
  lives: Lives,
  bounds: RunBounds,
  zombies: { count: number },
  accuse: Accuse,
): void {
  for (const { start, done } of effects) {
    const beats = lives.beatsOf.get(start.owner) ?? [];
    if (beats.length === 0) continue;
    const claimedMs = Math.min(start.atMs, start.token / 1_000 - (start.wallMs - start.atMs));
    const isLate = (atMs: number): boolean => {
      const renewedMs = Math.max(lastAtMost(beats, atMs), claimedMs);
      if (atMs - renewedMs <= bounds.leaseMs + bounds.marginMs) return false;
      if (!stoodStill(start.owner, atMs, bounds.leaseMs / 2, lives)) return true;
      zombies.count++;
      return false;
    };
    if (isLate(start.atMs)) accuse("I16", id, `${start.owner} began it after its Lease was over`);
    else if (done?.how === "returned" && !lives.fenced.has(`${id} ${start.token}`) && isLate(done.atMs))
      accuse("I16", id, `${start.owner} ended it after its Lease was over, and was never told`);
  }
}

/** I4: one ask is one Operation, however often it was sent; one key is one Operation at a time. */
function judgeSameness(lives: Lives, accuse: Accuse): void {
  const idsOf = new Map<string, Set<string>>();
  const byKey = new Map<string, Life[]>();
  for (const life of lives.byId.values()) {
    const hashes = new Set([...life.enqueues.map(({ hash }) => hash), ...life.effects.map(({ start }) => start.hash)]);
    for (const hash of hashes) idsOf.set(hash, (idsOf.get(hash) ?? new Set()).add(life.id));
    const key = life.terms?.userKey;
    if (key !== undefined && life.enqueues.length > 0) byKey.set(key, [...(byKey.get(key) ?? []), life]);
  }
  for (const ids of idsOf.values()) {
    const [first = "", ...others] = ids;
    for (const other of others) accuse("I4", other, `what was asked for once is also ${first}`);
  }
  for (const [key, same] of byKey) {
    const acked = ({ enqueues }: Life): number => enqueues[0]?.atMs ?? 0;
    const sorted = same.sort((a, b) => acked(a) - acked(b));
    for (const [i, life] of sorted.entries()) {
      const before = sorted[i - 1];
      const held = before?.effects.findLast(({ done }) => done?.how === "returned")?.done?.atMs;
      if (before !== undefined && held !== undefined && acked(life) < held)
        accuse("I4", life.id, `${before.id} held the key ${key} and had not ended`);
    }
  }
}

/** I6: what was sent in one call happened as a whole or not at all. */
function judgeBatches(lives: Lives, accuse: Accuse): void {
  const happened = new Set<string>();
  for (const { enqueues, effects } of lives.byId.values()) {
    for (const { hash } of enqueues) happened.add(hash);
    for (const { start } of effects) happened.add(start.hash);
  }
  const asks = [...lives.asks.values()].filter(({ batch }) => batch !== undefined);
  for (const [batch, same] of grouped(asks, ({ batch: name }) => name)) {
    const count = same.filter(({ hash }) => happened.has(hash)).length;
    if (count > 0 && count < same.length)
      accuse("I6", "*", `${count} of the ${same.length} of batch ${batch} happened`);
  }
}

/** I40: nothing is claimed between the acknowledgement of a pause and the resume. */
function judgePauses({ byId, pauses }: Lives, accuse: Accuse): void {
  if (pauses.length === 0) return;
  for (const { id, effects } of byId.values()) {
    for (const { start } of effects) {
      const isPaused = pauses.some(
        ({ step, fromUs, untilUs }) => step === start.step && start.token > fromUs && start.token < untilUs,
      );
      if (isPaused) accuse("I40", id, `it was claimed by token ${start.token} while its Queue was paused`);
    }
  }
}

/** Whether something of an Operation happened while a rollback could still forget it. */
function isWithin({ enqueues, effects, outcomes }: Life, { fromMs, untilMs, losesMs }: HarmEvent): boolean {
  const isIn = (atMs: number | undefined): boolean =>
    atMs !== undefined && atMs >= fromMs - (losesMs ?? 0) && atMs <= untilMs;
  return (
    enqueues.some(({ atMs }) => isIn(atMs)) ||
    effects.some(({ start, done }) => isIn(start.atMs) || isIn(done?.atMs)) ||
    outcomes.some(({ atMs }) => isIn(atMs))
  );
}

function lastAtMost(ascending: readonly number[], atMs: number): number {
  return ascending.findLast((one) => one <= atMs) ?? Number.NEGATIVE_INFINITY;
}

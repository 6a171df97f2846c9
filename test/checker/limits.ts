/**
 * I26, limits: never more effects at once than a cap, never more claims in a time than a pace.
 *
 * An effect lies within the time its slot is held, so too many effects at once prove too many slots. A pace is judged by
 * tokens, which are the store's own moments of claiming; and so is a cap that was lowered while more were at work.
 */

import { WALL_SLACK_MS } from "../helper/wall-slack.js";
import { endOf } from "./hurts.js";
import type { Effect, Lives } from "./lives.js";
import type { NarrowedEvent, RunBounds } from "./run-history.js";
import type { Accuse } from "./violation.js";

/** Judges every cap. */
export function judgeCaps(lives: Lives, bounds: RunBounds, accuse: Accuse): void {
  const edges = new Map<string, { readonly atMs: number; readonly by: 1 | -1; readonly id: string }[]>();
  for (const { id, effects } of lives.byId.values()) {
    for (const effect of effects) {
      // The slot of one that lost its Lease was freed by a rescue.
      if (lives.fenced.has(`${id} ${effect.start.token}`)) continue;
      const fromMs = effect.start.atMs;
      const untilMs = Math.min(endOf(effect, lives), stillFrom(effect.start.owner, fromMs, lives));
      if (untilMs <= fromMs) continue;
      for (const cap of effect.start.caps ?? []) {
        const list = edges.get(cap) ?? [];
        edges.set(cap, list);
        list.push({ atMs: fromMs, by: 1, id }, { atMs: untilMs, by: -1, id });
      }
    }
  }
  for (const [cap, list] of edges) {
    const most = bounds.caps[cap];
    if (most === undefined) continue;
    list.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
    let running = 0;
    for (const { by, id } of list) {
      running += by;
      if (by === 1 && running > most) accuse("I26", id, `${running} ran at once under the cap ${cap} of ${most}`);
    }
  }
}

/** Judges caps that were lowered: nothing is claimed while as many as are let now, or more, are at work. */
export function judgeNarrowings(lives: Lives, accuse: Accuse): void {
  for (const narrowing of lives.narrowings) {
    if (mayBeForgotten(narrowing, lives)) continue;
    const { cap, most, fromUs, untilUs } = narrowing;
    const holders = [...lives.byId.values()].flatMap(({ id, effects }) =>
      effects
        .filter(({ start }) => start.caps?.includes(cap) === true && !lives.fenced.has(`${id} ${start.token}`))
        .map((effect) => ({ id, fromUs: effect.start.token, untilUs: wallEndUs(effect, lives) })),
    );
    for (const { id, fromUs: us } of holders) {
      if (us <= fromUs || us >= untilUs) continue;
      const held = holders.filter((other) => other.fromUs < us && other.untilUs - WALL_SLACK_MS * 1_000 > us).length;
      if (held >= most) accuse("I26", id, `it was claimed while ${held} were at work under ${cap}, lowered to ${most}`);
    }
  }
}

/** When an effect ended, or its owner stood still, in microseconds of the wall clock. */
function wallEndUs(effect: Effect, lives: Lives): number {
  const { owner, atMs, wallMs = 0 } = effect.start;
  const tookMs = Math.min(endOf(effect, lives), stillFrom(owner, atMs, lives)) - atMs;
  return (wallMs + tookMs) * 1_000;
}

/** Whether what was acknowledged then may have been lost with a server. */
function mayBeForgotten({ atMs, fromUs, untilUs }: NarrowedEvent, { harms }: Lives): boolean {
  const endMs = atMs + (untilUs - fromUs) / 1_000;
  return harms.some(({ fromMs, untilMs, losesMs }) => losesMs !== null && fromMs - losesMs <= endMs && untilMs >= atMs);
}

/** Judges every pace: by GCRA, a claim may not come before its theoretical time minus the burst. */
export function judgePaces(lives: Lives, bounds: RunBounds, accuse: Accuse): void {
  const claims = new Map<string, { readonly us: number; readonly id: string }[]>();
  for (const { id, effects } of lives.byId.values()) {
    for (const { start } of effects) {
      for (const pace of start.paces ?? []) {
        const list = claims.get(pace) ?? [];
        claims.set(pace, list);
        list.push({ us: start.token, id });
      }
    }
  }
  for (const [pace, list] of claims) {
    const rule = bounds.paces[pace];
    if (rule === undefined) continue;
    const [everyUs, aheadUs] = [rule.everyMs * 1_000, (rule.burst - 1) * rule.everyMs * 1_000];
    list.sort((a, b) => a.us - b.us);
    let nextUs = Number.NEGATIVE_INFINITY;
    for (const { us, id } of list) {
      // Tokens of one batch follow each other by 1 µs, and the store's clock is read in whole ones.
      if (us + PACE_SLACK_US < nextUs - aheadUs) {
        const earlyMs = Math.round((nextUs - aheadUs - us) / 1_000);
        accuse("I26", id, `it began ${earlyMs} ms before the pace ${pace} let it`);
      }
      nextUs = Math.max(nextUs, us) + everyUs;
    }
  }
}

const PACE_SLACK_US = 2_000;

/** A process that stands still holds its slots no longer than its Lease: what it had in hand counts up to its stop. */
function stillFrom(owner: string, fromMs: number, lives: Lives): number {
  const stop = (lives.faultsOf.get(owner) ?? []).find(({ fault, atMs }) => fault === "stop" && atMs >= fromMs);
  return stop?.atMs ?? Number.POSITIVE_INFINITY;
}

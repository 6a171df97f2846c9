/**
 * Preload of a Foreman under test, and of its supervisor: writes down how the store answered its outcomes, and kills it
 * at a moment of its trace that chance would seldom hit.
 *
 * `--import` puts it before the program. A file in the run's folder names the moment; it is looked for at each call, so
 * the harness can arm a process while it runs. Only the thread that talks to the store ever comes to one.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { isMillraceError } from "@millrace/core";
import { EmbeddedStore, type Held, RedisStore, type Store } from "@millrace/core/internal";
import type { OutcomeEvent } from "../../checker/history.js";
import { WALL_SLACK_MS } from "../../helper/wall-slack.js";
import { journalOf, sharedMs, write } from "./journal.js";
import { type MomentName, momentFile, readSettings } from "./settings.js";
import { Ledger } from "./stranded.js";

const orphanCheckMs = 500;
/** Claims' tokens are of the wall clock. */
const clockSlackUs = WALL_SLACK_MS * 1_000;

const { dir, node } = readSettings();
const owner = `p${process.pid}`;
const file = momentFile(dir, process.pid);
/** Names of lanes by Segment and number, as claims told them. */
const laneNames = new Map<string, string>();

// A harness that was killed, or gave up, must leave nobody behind: whoever loses its parent ends.
if (isMainThread) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, orphanCheckMs).unref();
}

function reach(moment: MomentName): void {
  if (!existsSync(file) || readFileSync(file, "utf8") !== moment) return;
  rmSync(file);
  write(journalOf(dir), { kind: "fault", fault: "kill", owner, atMs: sharedMs() });
  process.kill(process.pid, "SIGKILL");
}

/** Requests whose claim had no answer: the next answer says again what was claimed. */
const unanswered = new Set<string>();

for (const { prototype } of [RedisStore, EmbeddedStore]) spy(prototype);

/** When a release was sent for the first time; answers may be lost, and it is sent again. */
const sentUs = new Map<string, number>();

function firstSentUs(what: string): number {
  const known = sentUs.get(what) ?? Date.now() * 1_000;
  sentUs.set(what, known);
  return known;
}

/** What was glimpsed and is told once only by each process. */
const told = new Set<string>();

function glimpse(what: string, isOnce = false): void {
  if (isOnce && told.has(what)) return;
  if (isOnce) told.add(what);
  write(journalOf(dir), { kind: "glimpse", what });
}

/** Puts itself between a Foreman and its store. */
function spy(prototype: Store): void {
  const { announce, claim, complete, extend, fail, release, rescue } = prototype;

  prototype.claim = async function (this: Store, ...args) {
    const [segment, { owner: incarnation, request: number }] = args;
    const request = `${segment} ${incarnation} ${number}`;
    const ledger = Ledger.of(segment, incarnation);
    ledger.asked(number);
    const answer = await claim.apply(this, args).catch((error: unknown) => {
      unanswered.add(request);
      throw error;
    });
    for (const { lane, laneName } of answer.claims) laneNames.set(`${segment} ${lane}`, laneName);
    ledger.answered(
      number,
      answer.claims.map(({ lane, counter, token }) => `${idOf(segment, lane, counter)} ${token}`),
    );
    if (unanswered.delete(request)) {
      if (answer.claims.length > 0) glimpse("claim asked for again");
      void ledger.look(this, owner);
    }
    if (answer.claims.length > 0) {
      if (segment !== node) glimpse("claim from another Segment", true);
      reach("claimed");
    }
    return answer;
  };

  prototype.complete = async function (this: Store, ...args) {
    reach("completing");
    const sent = complete.apply(this, args);
    reach("complete sent");
    const answer = await sent.catch((error: unknown) => noteLost("complete", args[0], args[1].held, error));
    noteOutcomes("complete", args[0], args[1].held, answer.answers);
    reach("completed");
    return answer;
  };

  prototype.extend = async function (this: Store, ...args) {
    const sentMs = sharedMs();
    const answer = await extend.apply(this, args);
    if (answer.answer === "ok") write(journalOf(dir), { kind: "beat", owner, sentMs });
    reach("beaten");
    return answer;
  };

  prototype.release = async function (this: Store, ...args) {
    const sentUs = Math.min(
      ...args[1].elements.map((one) => firstSentUs(`${args[0]} ${one.lane} ${one.counter} ${one.token}`)),
    );
    const sent = release.apply(this, args);
    const answer = await sent.catch((error: unknown) => noteLost("release", args[0], args[1].elements, error));
    noteOutcomes("release", args[0], args[1].elements, answer.answers);
    const atUs = Date.now() * 1_000 + clockSlackUs;
    const [segment, { elements }] = args;
    const taken = elements.filter(({ delayMs }, i) => delayMs === null && answer.answers[i] !== "stale");
    if (taken.length > 0) {
      const ids = taken.map(({ lane, counter }) => idOf(segment, lane, counter));
      write(journalOf(dir), { kind: "back", owner, ids, tokens: taken.map(({ token }) => token), atUs, sentUs });
    }
    return answer;
  };

  prototype.fail = async function (this: Store, ...args) {
    const sent = fail.apply(this, args);
    const answer = await sent.catch((error: unknown) => noteLost("fail", args[0], args[1].elements, error));
    noteOutcomes("fail", args[0], args[1].elements, answer.answers);
    return answer;
  };

  prototype.rescue = async function (this: Store, ...args) {
    const answer = await rescue.apply(this, args);
    // Its beat moved, or another observer was first: nothing was taken.
    if (answer.answer !== "ok") glimpse("rescue refused");
    if (answer.rescued > 0) glimpse("rescue");
    if (answer.cancelled > 0) glimpse("cancel-marked rescued");
    return answer;
  };

  prototype.announce = async function (this: Store, ...args) {
    const answer = await announce.apply(this, args);
    for (const word of new Set(answer.answers)) glimpse(`announced ${word}`);
    return answer;
  };
}

/** An answer that was lost: the store may have done it, and whoever sends it again may be told that it is too late. */
function noteLost(
  transition: OutcomeEvent["transition"],
  segment: string,
  held: readonly Held[],
  error: unknown,
): never {
  if (isMillraceError(error, "MR_INDETERMINATE"))
    noteOutcomes(transition, segment, held, new Array<OutcomeEvent["answer"]>(held.length).fill("unknown"));
  throw error;
}

function noteOutcomes(
  transition: OutcomeEvent["transition"],
  segment: string,
  held: readonly Held[],
  answers: readonly OutcomeEvent["answer"][],
): void {
  const journal = journalOf(dir);
  for (const [i, { lane, counter, token }] of held.entries()) {
    const answer = answers[i] ?? "unknown";
    // Nothing here is ever requeued: all are of the first generation.
    write(journal, {
      kind: "outcome",
      transition,
      id: idOf(segment, lane, counter),
      generation: 0,
      token,
      owner,
      answer,
      atMs: sharedMs(),
    });
  }
}

function idOf(segment: string, lane: number, counter: number): string {
  const laneName = laneNames.get(`${segment} ${lane}`) ?? "";
  const cut = laneName.lastIndexOf(".");
  return `${segment}.${laneName.slice(0, cut)}.${counter.toString(36)}${laneName.slice(cut + 1)}`;
}

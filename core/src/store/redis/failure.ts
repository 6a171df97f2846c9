/**
 * What went wrong with a call, as one of the three things a caller can act on: refused, unknown, or wrong for good.
 *
 * Server replies are told apart by their first word. No cause is kept: the client's errors carry the arguments of
 * the command that failed, and with them secrets.
 */
import { createError, type MillraceError } from "../../base/errors.js";
import { maskSecrets, type RedisTarget } from "./url.js";

/** The call that failed, for messages: its transition and the Segment or key it is about. */
export interface CallName {
  readonly call: string;
  readonly id: string;
}

const REASON_MAX = 200;

/** Refusals that pass by themselves or by an operator's hand; the same call, sent again, may succeed. */
const HINTS: Readonly<Record<string, string>> = {
  LOADING: "it is loading its data",
  BUSY: "it is busy with a script",
  TRYAGAIN: "the Segment's slot is being moved",
  ASK: "the Segment's slot is being moved",
  MOVED: "the Segment's slot was moved",
  READONLY: "it is a replica",
  CLUSTERDOWN: "the cluster is down",
  MASTERDOWN: "its primary is down",
  NOREPLICAS: "too few replicas follow it",
  OOM: "its memory is full",
  MISCONF: "it cannot write to its disk",
};

/** Refusals about who we are: what the user lacks stands in the server's own words. */
const RIGHTS: ReadonlySet<string> = new Set(["NOPERM", "NOAUTH", "WRONGPASS"]);

/** Calls that add work: what a full server refuses. All others are sent again until it has room. */
const ADDING: ReadonlySet<string> = new Set(["enqueue", "enqueue_full", "lane_open"]);

/** Makes the error for a reply that is an error. Nothing was changed by that call. */
export function replyFailure(target: RedisTarget, name: CallName, message: string): MillraceError {
  const store = target.shown;
  const word = firstWord(message);
  const reason = maskSecrets(target, message.slice(0, REASON_MAX));
  if ((word === "OOM" || word === "MISCONF") && ADDING.has(name.call)) {
    return createError("MR_STORE_FULL", { store, reason });
  }
  if (word === "VERSION") return schemaFailure(target, name.id, Number(message.slice("VERSION ".length)), "1");
  if (word === "WRONGTYPE") return createError("MR_STORE_CORRUPT", { store, reason: `${name.call}: ${reason}` });
  if (word === "BADARGS")
    return createError("MR_INVARIANT", { statement: `the store refused ${name.call} as malformed` });
  if (RIGHTS.has(word)) {
    const refused = `its user may not do ${name.call} (${reason}); see the ACL rules in docs/guides/redis.md`;
    return createError("MR_STORE_UNAVAILABLE", { store, reason: refused });
  }
  const hint = HINTS[word];
  return createError("MR_STORE_UNAVAILABLE", { store, reason: hint === undefined ? reason : `${hint} (${word})` });
}

/** A root record of another schema; 0 means that there is none: the Segment was never opened, or the store emptied. */
export function schemaFailure(target: RedisTarget, segment: string, found: number, expected: string): MillraceError {
  if (found === 0) return createError("MR_NOT_FOUND", { kind: "Segment", id: segment });
  const advice =
    found > Number(expected) ? "upgrade this process" : "the Segment must be migrated by this release first";
  const expectedText = `${expected}: ${advice}`;
  return createError("MR_STORE_VERSION", {
    store: target.shown,
    what: `Segment ${segment} of schema`,
    found,
    expected: expectedText,
  });
}

/** The call was not sent. */
export function unsent(target: RedisTarget, reason: string): MillraceError {
  return createError("MR_STORE_UNAVAILABLE", {
    store: target.shown,
    reason: maskSecrets(target, reason.slice(0, REASON_MAX)),
  });
}

/** The call was sent and no answer came. */
export function unknown(name: CallName): MillraceError {
  return createError("MR_INDETERMINATE", { call: name.call, id: name.id });
}

/** The code of an error reply: its first word. */
export function firstWord(message: string): string {
  return /^[A-Z]+/.exec(message)?.[0] ?? "";
}

/** Whether a reply says that our functions or scripts are not there. */
export function isMissingFunction(message: string): boolean {
  return message.includes("Function not found") || message.startsWith("NOSCRIPT");
}

/** Whether a reply says that this server or user has no FUNCTION command. */
export function isFunctionRefused(message: string): boolean {
  return /^NOPERM|^ERR unknown command|^ERR unknown subcommand|not supported/i.test(message);
}

/** Whether a reply says that the Segment has no root record. */
export function isWithoutRoot(message: string): boolean {
  return message.startsWith("VERSION 0");
}

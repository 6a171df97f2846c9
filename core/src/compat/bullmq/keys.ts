/**
 * Names of the program's own for jobs: `jobId`, `deduplication` and the older `debounce`, as keys that jobs hold.
 * What a key is to the engine says seam.ts.
 */
import { hash } from "node:crypto";
import { createError, show } from "../../base/errors.js";
import { tryParseDot } from "../../base/id.js";
import { unsupported } from "./refusals.js";
import type { DeduplicationOptions, JobsOptions } from "./types.js";

/** Longer names are kept as their SHA-256. */
const NAME_BYTES_MAX = 200;
const DEDUPLICATION_NAMES = new Set(["id", "ttl", "extend", "replace"]);

/**
 * A key, and what it means for a job that another one holds it. `known`: the other is it, while its record is kept.
 * `return`: the other is it, until it has ended. `postpone`: the other is it unless it is delayed, then it goes.
 */
export interface JobKey {
  readonly name: string;
  readonly mode: "known" | "return" | "postpone";
  /** Held for so long after the `add`, and till the job's end, whichever comes later; null: till its end. */
  readonly windowMs: number | null;
  /** Held through the window alone. */
  readonly isTimed: boolean;
}

/** The key of a job's own id. */
export function idKey(jobId: string): string {
  return keyName("id", jobId);
}

/** The key of a deduplication id. */
export function deduplicationKey(id: string): string {
  return keyName("de", id);
}

/**
 * The key of a job that has a name; null for all others. `completedMs`: how long it is kept once completed.
 *
 * Errors: MR_INVALID_OPTION, MR_COMPAT_UNSUPPORTED.
 */
export function keyOf(options: JobsOptions, completedMs: number): JobKey | null {
  const { jobId, deduplication, debounce } = options;
  if (deduplication !== undefined && debounce !== undefined) {
    throw invalid("debounce", "either `deduplication` or the older `debounce`", debounce);
  }
  const name = deduplication === undefined ? "debounce" : "deduplication";
  const given = deduplication ?? debounce;
  if (jobId === undefined && given === undefined) return null;
  if (jobId !== undefined && given !== undefined) {
    throw unsupported(`job options \`jobId\` and \`${name}\` together`, "give one of them: a job holds one name");
  }
  return jobId === undefined ? deduplicationKeyOf(given, name) : idKeyOf(jobId, completedMs);
}

function idKeyOf(jobId: unknown, completedMs: number): JobKey {
  if (typeof jobId !== "string" || jobId === "") throw invalid("jobId", "a text", jobId);
  if (/^-?\d+$/.test(jobId) || jobId.includes(":")) {
    throw invalid("jobId", "a text that is no whole number and has no `:`", jobId);
  }
  if (tryParseDot(jobId) !== null) {
    throw unsupported(`a \`jobId\` like ${show(jobId)}`, "spell it without dots: ids of this form are Millrace's own");
  }
  return { name: idKey(jobId), mode: "known", windowMs: completedMs, isTimed: false };
}

function deduplicationKeyOf(given: DeduplicationOptions | undefined, option: string): JobKey {
  if (typeof given !== "object" || given === null || typeof given.id !== "string" || given.id === "") {
    throw invalid(option, "{ id, ttl, extend, replace }", given);
  }
  for (const name of Object.keys(given)) {
    if (!DEDUPLICATION_NAMES.has(name)) {
      throw unsupported(
        `job option \`${option}.${name}\``,
        "leave it out; a native Step's `dedupe` says what else there is",
      );
    }
  }
  const { id, ttl, extend = false, replace = false } = given;
  if (ttl !== undefined && !(typeof ttl === "number" && ttl > 0)) throw invalid(`${option}.ttl`, "milliseconds", ttl);
  if (ttl !== undefined && extend !== replace) {
    const what = `job option \`${option}\` with \`ttl\` and only one of \`extend\` and \`replace\``;
    throw unsupported(what, "give both to wait for quiet, or none to let one through in each `ttl`");
  }
  return {
    name: deduplicationKey(id),
    mode: replace ? "postpone" : "return",
    windowMs: ttl ?? null,
    isTimed: ttl !== undefined,
  };
}

function keyName(kind: string, text: string): string {
  return `${kind}:${Buffer.byteLength(text) <= NAME_BYTES_MAX ? text : hash("sha256", text, "base64url")}`;
}

function invalid(name: string, expected: string, value: unknown): Error {
  return createError("MR_INVALID_OPTION", { path: `job.${name}`, problem: `expected ${expected}, got ${show(value)}` });
}

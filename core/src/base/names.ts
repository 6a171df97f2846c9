/**
 * The one rule for names that users choose: App, Step, Workflow, Queue, Service, channel, node.
 * A name that passes is safe in a store key, a URL path, a file name and as a key of a plain object.
 */
import { createError, show } from "./errors.js";

/** What a name must match; beyond it, the three names that every object inherits are refused. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const INHERITED: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Tells whether a value may be used as a name. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && NAME_PATTERN.test(value) && !INHERITED.has(value);
}

/**
 * Returns the name if it may be used; `kind` says in the message whose name it is ("Queue").
 *
 * Errors: MR_INVALID_NAME.
 */
export function checkName(value: unknown, kind: string): string {
  if (isName(value)) return value;
  throw createError("MR_INVALID_NAME", { kind, name: show(value) });
}

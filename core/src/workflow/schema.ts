/**
 * Standard Schema at the door: any validator users bring checks inputs at submission and results before recording.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { createError } from "../base/errors.js";

/**
 * Validates a value and returns what the schema made of it; a promise only if the schema works asynchronously.
 *
 * Errors: MR_INVALID_INPUT with the issues and their paths.
 */
export function validate(schema: StandardSchemaV1, value: unknown, target: string): unknown {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((settled) => accept(settled, target)) : accept(result, target);
}

function accept(result: StandardSchemaV1.Result<unknown>, target: string): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }));
  const text = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
  throw createError("MR_INVALID_INPUT", { target, issues: text }, { details: { target, issues } });
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  const keys = issue.path?.map((part) => String(typeof part === "object" ? part.key : part)) ?? [];
  return keys.join(".");
}

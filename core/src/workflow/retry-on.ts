/**
 * Which errors are worth another Attempt: the option `retryOn` of a Step, as a function or as a list of what to look for.
 *
 * A list names error classes, codes (`ECONNRESET`, `MR_TIMEOUT`) and names (`TypeError`); one hit is enough. Pure.
 */

/** A class of errors. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** What users write. */
export type RetryOn = ((error: Error) => boolean) | readonly (ErrorClass | string)[];

/** What is asked of each error. */
export type RetryFilter = (error: Error) => boolean;

/** Makes the filter of an option's value; null if it is none. */
export function parseRetryOn(value: unknown): RetryFilter | null {
  if (typeof value === "function") {
    // A class is a function, too, and called as one it would throw at the first error.
    return isErrorClass(value) ? filterOf([value]) : (value as RetryFilter); // the caller's promise
  }
  if (!Array.isArray(value) || value.length === 0) return null;
  const parts: unknown[] = value;
  return parts.every((part) => typeof part === "string" || isErrorClass(part))
    ? filterOf(parts as (ErrorClass | string)[]) // checked in this line's condition
    : null;
}

function filterOf(parts: readonly (ErrorClass | string)[]): RetryFilter {
  const words = new Set(parts.filter((part) => typeof part === "string"));
  const classes = parts.filter((part) => typeof part !== "string");
  return (error) => {
    const { code, name } = error as Error & { readonly code?: unknown };
    return words.has(name) || (typeof code === "string" && words.has(code)) || classes.some((one) => isA(error, one));
  };
}

function isA(error: Error, one: ErrorClass): boolean {
  return error instanceof one;
}

function isErrorClass(value: unknown): value is ErrorClass {
  if (typeof value !== "function") return false;
  const prototype: unknown = value.prototype;
  return value === Error || prototype instanceof Error;
}

/**
 * Assertions: statements about our own code that must hold, whatever the user or the network does.
 * A broken one is a bug in Millrace, so it crashes with the values shown; nobody catches it.
 * Bad input and failing stores are not assertions: they are codes in errors.ts.
 */
import { createError, show } from "./errors.js";

/**
 * Throws unless `condition` holds.
 *
 * `values` are shown in the message; build them only from what is at hand, since they are evaluated also when
 * the condition holds.
 *
 * Errors: MR_INVARIANT.
 */
export function invariant(
  condition: unknown,
  message: string,
  values?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw broken(message, values);
}

/**
 * Marks a branch that the types say cannot be reached, usually the `default` of a switch over a union.
 *
 * Errors: MR_INVARIANT, always.
 */
export function unreachable(value: never): never {
  throw broken("a value outside its type was reached", { value });
}

function broken(message: string, values: Readonly<Record<string, unknown>> = {}): Error {
  const shown = Object.entries(values).map(([name, value]) => `${name} = ${show(value)}`);
  const statement = shown.length === 0 ? message : `${message} (${shown.join(", ")})`;
  return createError("MR_INVARIANT", { statement }, { details: values });
}

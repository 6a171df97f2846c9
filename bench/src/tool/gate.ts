/** A gate: a bound a figure must hold, and whether it did. Pure. */
import { number } from "./format.js";

/** One bound as it is written to the result file. `value` is null when the figure could not be measured. */
export interface Gate {
  readonly name: string;
  readonly value: number | null;
  /** The bound in words a reader can check: "≥ 6", "≤ 60". */
  readonly bound: string;
  readonly ok: boolean;
}

/** Holds when the value is the bound or more. */
export function atLeast(name: string, value: number, bound: number): Gate {
  return gate(name, value, `≥ ${text(bound)}`, value >= bound);
}

/** Holds when the value is the bound or less. */
export function atMost(name: string, value: number, bound: number): Gate {
  return gate(name, value, `≤ ${text(bound)}`, value <= bound);
}

/** The gates that did not hold. */
export function missed(gates: readonly Gate[]): readonly Gate[] {
  return gates.filter((one) => !one.ok);
}

/** One line for people: "ok    enqueue vs BullMQ: 8.1 (≥ 6)". */
export function gateLine({ name, value, bound, ok }: Gate): string {
  return `${ok ? "ok    " : "MISSED"} ${name}: ${number(value)} (${bound})`;
}

// A figure that is not a number was not measured, and what was not measured holds no bound.
function gate(name: string, value: number, bound: string, holds: boolean): Gate {
  const isMeasured = Number.isFinite(value);
  return { name, value: isMeasured ? value : null, bound, ok: isMeasured && holds };
}

function text(bound: number): string {
  return bound >= 1000 ? bound.toLocaleString("en-US") : String(bound);
}

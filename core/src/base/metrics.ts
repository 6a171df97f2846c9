/**
 * Numbers about a running process: counters and gauges named by a table, kept in one typed array.
 * Counting is one addition to an array element, without allocation, so the hot path may count what it likes;
 * exporting (Prometheus, stream) reads a snapshot elsewhere.
 */
import { invariant } from "./assert.js";

/** One row of a metrics table. A counter only rises, a gauge is what it was last set to. */
export interface MetricRow {
  readonly kind: "counter" | "gauge";
  readonly unit?: string;
  readonly sentence: string;
}

/** Metrics by name; the name is the key in code, in snapshots and (in snake case) in exports. */
export type MetricTable = Readonly<Record<string, MetricRow>>;

/** The values of one table. */
export class Metrics<Table extends MetricTable> {
  readonly table: Table;
  /**
   * One element per row, in the table's order. `values[at.claims]++` is the fastest way to count;
   * one thread writes an element.
   */
  readonly values: Float64Array;
  /** Name → index into `values`. */
  readonly at: { readonly [Name in keyof Table]: number };

  /** `values` may lie over shared memory, so that another thread reads what this one counts. */
  constructor(table: Table, values: Float64Array = new Float64Array(Object.keys(table).length)) {
    const names = Object.keys(table);
    invariant(values.length >= names.length, "every metric has a place", {
      places: values.length,
      names: names.length,
    });
    this.table = table;
    this.values = values;
    // The mapped type says exactly what fromEntries has built: one index for each name.
    this.at = Object.fromEntries(names.map((name, index) => [name, index])) as { [Name in keyof Table]: number };
  }

  /** Raises a counter, or moves a gauge, by `by` (default 1). */
  add(name: keyof Table, by = 1): void {
    const index = this.at[name];
    this.values[index] = (this.values[index] ?? 0) + by;
  }

  /** Sets a gauge. */
  set(name: keyof Table, value: number): void {
    this.values[this.at[name]] = value;
  }

  /** Returns a counter's or gauge's value now. */
  get(name: keyof Table): number {
    return this.values[this.at[name]] ?? 0;
  }

  /** Copies all values into a record by name. */
  snapshot(): { [Name in keyof Table]: number } {
    const copy = Object.entries(this.at).map(([name, index]) => [name, this.values[index as number]]);
    return Object.fromEntries(copy) as { [Name in keyof Table]: number }; // one entry per name, as above
  }
}

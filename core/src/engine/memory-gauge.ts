/**
 * How much memory a store uses, and how much it may: what admission asks. Types only; imports nothing.
 */

/** The memory of one server of a store, or of a store in this process. */
export interface MemoryUse {
  readonly usedBytes: number;
  /** The most the server allows itself; null for no bound. */
  readonly maxBytes: number | null;
}

/** Tells how full a store is. */
export interface MemoryGauge {
  /** One entry per server that answers, at least one. Errors: the common ones of a store. */
  memory(): Promise<readonly MemoryUse[]>;
}

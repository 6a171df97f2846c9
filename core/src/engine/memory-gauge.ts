/**
 * How much memory a store's server uses, and how much it may: what admission asks. Implemented by stores on one server.
 * Types only; imports nothing.
 */

/** Tells how full a store is. */
export interface MemoryGauge {
  /** Bytes in use, and the most its server allows itself; null for no bound. Errors: the common ones of a store. */
  memory(): Promise<{ readonly usedBytes: number; readonly maxBytes: number | null }>;
}

/**
 * Durability (elsewhere: write concern): what an acknowledged call outlives, as it is asked for, as a store offers it
 * and as it was reached. A store's own level comes with every answer; more is reached by `Store.secure`, per call.
 *
 * Used by app (receipts, options) and by every store. docs/guides/durability.md says what each level survives.
 */

/** What a store's answer survives by itself, from weakest to strongest; `fsync` and `flushed` are two words for one. */
export type DurabilityLevel = "memory" | "aof" | "fsync" | "flushed";

/** What an acknowledgement shall survive: a level, or so many replicas that have it, with `fsync` on a disk, too. */
export type Durability = DurabilityLevel | { readonly replicas: number; readonly fsync?: boolean };

/** What a store offers. */
export interface StoreDurability {
  /** The level of its every answer. */
  readonly level: DurabilityLevel;
  /** Whether that was read from its settings; else somebody has only said so. */
  readonly isChecked: boolean;
  /** The highest level `secure` reaches. */
  readonly best: DurabilityLevel;
  /** Whether it has replicas to wait for. */
  readonly replicates: boolean;
}

/** What was reached for some Operations. */
export interface Secured {
  readonly level: DurabilityLevel;
  /** How many replicas have it; 0 if nobody asked. */
  readonly replicas: number;
  /** Positions of the dots the store does not know: it lost them, or never had them. */
  readonly missing: readonly number[];
}

/** Replicas that may be asked for. */
const REPLICAS_MAX = 100;

const RANKS: Readonly<Record<DurabilityLevel, number>> = { memory: 0, aof: 1, fsync: 2, flushed: 2 };

/** Whether a level survives at least what another one does. */
export function isAtLeast(level: DurabilityLevel, asked: DurabilityLevel): boolean {
  return RANKS[level] >= RANKS[asked];
}

/** The level that is asked for, beside any replicas. */
export function levelIn(asked: Durability): DurabilityLevel {
  if (typeof asked === "string") return asked;
  return asked.fsync === true ? "fsync" : "memory";
}

/** How many replicas are asked for. */
export function replicasIn(asked: Durability): number {
  return typeof asked === "string" ? 0 : asked.replicas;
}

/** Whether a store's plain answer is as good as what is asked for. */
export function isImplied(store: StoreDurability, asked: Durability): boolean {
  return typeof asked === "string" && isAtLeast(store.level, asked);
}

/** Whether a store can reach what is asked for, if its replicas answer. */
export function isOffered(store: StoreDurability, asked: Durability): boolean {
  return isAtLeast(store.best, levelIn(asked)) && (replicasIn(asked) === 0 || store.replicates);
}

/** Whether what was reached is what was asked for. */
export function isReached(secured: Secured, asked: Durability): boolean {
  return (
    secured.missing.length === 0 && isAtLeast(secured.level, levelIn(asked)) && secured.replicas >= replicasIn(asked)
  );
}

/** What is asked for, or was reached, in words. */
export function showDurability(level: DurabilityLevel, replicas: number): string {
  return replicas === 0 ? level : `${level} with ${replicas} replica(s)`;
}

/** The row parser of options that name a durability: what is allowed, or null. */
export function parseDurability(value: unknown): Durability | null {
  if (typeof value === "string") return Object.hasOwn(RANKS, value) ? (value as DurabilityLevel) : null; // a key of RANKS
  if (typeof value !== "object" || value === null) return null;
  const { replicas, fsync, ...rest } = value as Record<string, unknown>; // any object may be read
  if (Object.keys(rest).length > 0 || (fsync !== undefined && typeof fsync !== "boolean")) return null;
  if (!Number.isInteger(replicas) || (replicas as number) < 1 || (replicas as number) > REPLICAS_MAX) return null; // an integer is a number
  return fsync === true ? { replicas: replicas as number, fsync } : { replicas: replicas as number }; // checked above
}

/** What `parseDurability` allows, for messages. */
export const DURABILITY_FORM = '"memory", "aof", "fsync", "flushed" or { replicas: 1…100, fsync? }';

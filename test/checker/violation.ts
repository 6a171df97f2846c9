/** The invariants a history is judged by, by the numbers of the plan, and the words in which a broken one is told. */

/** Every invariant that is checked on histories. */
export const INVARIANTS = {
  I1: "no fabrication",
  I2: "no loss",
  I3: "bounded loss",
  I4: "idempotent enqueue",
  I5: "fidelity",
  I6: "batch atomicity",
  I7: "one place",
  I8: "token order",
  I9: "single owner",
  I10: "fencing",
  I11: "terminal absorbs",
  I12: "bounded attempts",
  I13: "at most once",
  I14: "no overlap",
  I15: "no duplicate without fault",
  I16: "self-fence",
  I25: "order",
  I26: "limits",
  I40: "pause",
  L1: "drained",
  L5: "no claim lost with its answer",
} as const;

/** The number of an invariant. */
export type InvariantId = keyof typeof INVARIANTS;

/** What broke an invariant. */
export interface Violation {
  readonly invariant: InvariantId;
  /** The Operation, or `*`. */
  readonly id: string;
  readonly says: string;
}

/** Names a violation. `also`: the other Operation it is about, if there is one. */
export type Accuse = (invariant: InvariantId, id: string, says: string, also?: string) => void;

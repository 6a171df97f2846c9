/**
 * Submissions that ask for more than the store's own durability: acknowledged only when what was asked for is reached.
 *
 * They travel like all others; once the store has them, its `secure` is waited for, together with everybody else's of
 * that moment. What is not reached is MR_INDETERMINATE: the Operation is there, and a repeat with its id tells more.
 */
import { createError } from "../base/errors.js";
import { formatId } from "../engine/dot.js";
import {
  type Durability,
  isImplied,
  isOffered,
  isReached,
  levelIn,
  replicasIn,
  type Secured,
  type StoreDurability,
  showDurability,
} from "../engine/durability.js";
import { type Handle, SecuredHandle } from "../handle.js";
import type { Submission } from "../queue/submission.js";
import type { Reach } from "./reach.js";

/**
 * What must be waited for beyond a plain acknowledgement; null if that is as good.
 *
 * Errors: MR_DURABILITY_UNAVAILABLE when the store never reaches it: nothing is sent.
 */
export function beyond(store: StoreDurability, asked: Durability | null | undefined): Durability | null {
  if (asked === null || asked === undefined || isImplied(store, asked)) return null;
  if (!isOffered(store, asked)) throw unavailable(asked, store.replicates ? store.best : `${store.best}, no replicas`);
  return asked;
}

/**
 * Tries what a whole program asks for, once, before it relies on it.
 *
 * Errors: MR_DURABILITY_UNAVAILABLE, with what was reached; those of the store.
 */
export async function tryDurability(reach: Reach, segment: string, asked: Durability): Promise<void> {
  if (beyond(reach.durability(), asked) === null) return;
  const reached = await reach.call((store) => store.secure(segment, { dots: [], asked }));
  if (!isReached(reached, asked)) throw unavailable(asked, showDurability(reached.level, reached.replicas));
}

/** One Operation that is to reach a durability; settles one promise, or one place of an enqueueMany. */
export class SecuredSubmission implements Submission {
  readonly body: Uint8Array;
  readonly #reach: Reach;
  readonly #asked: Durability;
  readonly #resolve: (handle: Handle) => void;
  readonly #reject: (error: Error) => void;

  constructor(
    body: Uint8Array,
    reach: Reach,
    asked: Durability,
    resolve: (handle: Handle) => void,
    reject: (error: Error) => void,
  ) {
    this.body = body;
    this.#reach = reach;
    this.#asked = asked;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  accepted(laneName: string, counter: number, segment: string, isKept = false): void {
    const id = () => formatId(segment, laneName, counter);
    const params = { dots: [{ laneName, counter }], asked: this.#asked };
    this.#reach
      .call((store) => store.secure(segment, params))
      .then(
        (secured) => {
          if (!isReached(secured, this.#asked)) return this.#reject(this.#short(id(), secured, null));
          const { level, replicas } = secured;
          this.#resolve(new SecuredHandle(this.#reach, segment, laneName, counter, isKept, { level, replicas }));
        },
        (error: unknown) => this.#reject(this.#short(id(), null, error)),
      );
  }

  refused(error: Error): void {
    this.#reject(error);
  }

  /** The Operation was accepted, so whatever went wrong afterwards is no refusal. */
  #short(id: string, secured: Secured | null, cause: unknown): Error {
    const asked = showDurability(levelIn(this.#asked), replicasIn(this.#asked));
    const isLost = secured !== null && secured.missing.length > 0;
    const reached = secured === null || isLost ? "nothing" : showDurability(secured.level, secured.replicas);
    const call = `enqueue at durability ${asked} (reached: ${reached})`;
    return createError("MR_INDETERMINATE", { call, id }, cause === null ? {} : { cause });
  }
}

function unavailable(asked: Durability, available: string): Error {
  const shown = showDurability(levelIn(asked), replicasIn(asked));
  return createError("MR_DURABILITY_UNAVAILABLE", { asked: shown, available });
}

/** Every comparison ends with a check of the Segment: what transitions alone have made must never have findings. */
import type { CheckAnswer, CheckParams } from "@millrace/core/internal";

/** Fails if the check of a store finds something; `check` is one call of it. */
export async function expectSound(check: (params: CheckParams) => Promise<CheckAnswer>): Promise<void> {
  let cursor: string | null = null;
  do {
    const answer: CheckAnswer = await check({ cursor, max: 1000, isMending: false, suspects: [] });
    const [first] = answer.findings;
    if (first !== undefined) throw new Error(`the check finds ${first.kind}: ${first.id ?? ""} ${first.about}`);
    cursor = answer.cursor;
  } while (cursor !== null);
}

/**
 * Plays a sequence on the machine: intents become calls, calls get answers. The reference every store is compared with.
 */
import { apply, newSegment, type SegmentState, snapshot } from "@millrace/core/internal";
import type { Plain } from "../helper/bytes.js";
import type { Answer, Call } from "./call.js";
import { canonicalAnswer, canonicalSnapshot } from "./canonical.js";
import { type Intent, Player } from "./sequence.js";

/** Name of the Segment every sequence plays in; ids contain it, so all sides use the same. */
export const simSegment = "s";

/** What was played and what came of it. */
export interface Played {
  readonly calls: readonly Call[];
  readonly answers: readonly Plain[];
  readonly end: unknown;
  /** The intent behind each call, for making a failure small. */
  readonly intents: readonly Intent[];
}

/** The machine, or something that behaves almost like it: mutants wrap it. */
export type Oracle = (state: SegmentState, call: Call) => Answer;

/** The machine itself. */
export const machineOracle: Oracle = (state, call) => {
  // `call` pairs a name with its own parameters; the compiler cannot follow a union through a generic.
  const applyAny = apply as (state: SegmentState, name: Call["name"], params: Call["params"], nowUs: number) => Answer;
  return applyAny(state, call.name, call.params, call.atUs);
};

/** Plays a sequence from an empty Segment. */
export function play(intents: readonly Intent[], segment: string = simSegment, oracle: Oracle = machineOracle): Played {
  const state = newSegment(segment);
  apply(state, "segment_open", { pausedQueues: [] }, 0);
  const player = new Player();
  const answers: Plain[] = [];
  const used: Intent[] = [];
  for (const intent of intents) {
    const call = player.next(intent);
    if (call === null) continue;
    const answer = oracle(state, call);
    player.learn(call, answer);
    answers.push(canonicalAnswer(answer));
    used.push(intent);
    state.events = [];
  }
  return { calls: player.calls, answers, end: canonicalSnapshot(snapshot(state)), intents: used };
}

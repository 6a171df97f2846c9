/**
 * Dead letters by fingerprint (elsewhere: error groups, issues): how often what failed, since when, and one to look at.
 */
import type { OperationView } from "./inspect-view.js";

/** Failures of one cause. */
export interface DeadGroup {
  /** 12 hexadecimal digits. */
  readonly fingerprint: string;
  readonly code: string | null;
  readonly name: string;
  /** That of the sample, with what varies in it. */
  readonly message: string;
  readonly count: number;
  /** Steps it happened in, at most ten. */
  readonly steps: readonly string[];
  readonly firstAt: Date | null;
  readonly lastAt: Date | null;
  /** The one that failed last. */
  readonly sampleId: string;
  readonly stackHead: string | null;
  readonly isPoison: boolean;
}

/** Groups, largest first. */
export interface DeadGroupsAnswer {
  readonly groups: readonly DeadGroup[];
  /** How many dead letters were looked at and fit. */
  readonly counted: number;
  /** How many groups there are beyond `limit`. */
  readonly more: number;
  /** Not null: the budget was used up, the counts are of a part. Groups of the rest: call again with it. */
  readonly cursor: string | null;
  readonly partial: boolean;
}

const STEPS_MAX = 10;

type Growing = { -readonly [Name in keyof DeadGroup]: DeadGroup[Name] };

/** Groups as they grow. */
export class DeadGroups {
  readonly #groups = new Map<string, Growing>();
  #counted = 0;

  /** Takes in one dead letter; one whose error cannot be read is in a group of its own. */
  add(view: OperationView): void {
    this.#counted++;
    const fingerprint = view.fingerprint ?? "unreadable";
    const at = view.finishedAt;
    const group = this.#groups.get(fingerprint);
    if (group === undefined) {
      this.#groups.set(fingerprint, {
        fingerprint,
        code: view.error?.code ?? null,
        name: view.error?.name ?? "Error",
        message: view.error?.message ?? "the recorded error cannot be read",
        count: 1,
        steps: view.step === null ? [] : [view.step],
        firstAt: at,
        lastAt: at,
        sampleId: view.id,
        stackHead: view.stackHead,
        isPoison: view.isPoison,
      });
      return;
    }
    group.count++;
    if (view.step !== null && group.steps.length < STEPS_MAX && !group.steps.includes(view.step)) {
      group.steps = [...group.steps, view.step];
    }
    if (at !== null && (group.firstAt === null || at < group.firstAt)) group.firstAt = at;
    if (at === null || (group.lastAt !== null && at < group.lastAt)) return;
    group.lastAt = at;
    group.sampleId = view.id;
    group.message = view.error?.message ?? group.message;
    group.stackHead = view.stackHead;
  }

  /** The groups so far. */
  answer(limit: number, cursor: string | null): DeadGroupsAnswer {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    return {
      groups: groups.slice(0, limit),
      counted: this.#counted,
      more: Math.max(0, groups.length - limit),
      cursor,
      partial: cursor !== null,
    };
  }
}

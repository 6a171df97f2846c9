/**
 * Whether an Operation fits a filter, by what is known of it. What is not known fits nothing that asks for it, and so
 * everything that asks for its absence.
 * Pure; the filter comes from filter.ts, the facts from whoever has decoded a record.
 */
import { type Filter, type FilterField, type FilterTerm, type FilterTest, isTextFit } from "./filter.js";

/** What a filter can ask about. `null`: it has none, or it is not known (any more). */
export interface FilterFacts {
  readonly id: string;
  readonly state: string;
  readonly queue: string | null;
  readonly step: string | null;
  readonly priority: number;
  readonly attempt: number;
  /** What it was enqueued with as its key, if any. */
  readonly key: string | null;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
  readonly enqueuedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** Whether all terms hold. */
export function isFit(filter: Filter, facts: FilterFacts): boolean {
  return filter.terms.every((term) => holds(term, facts) !== term.isNegated);
}

function holds({ of, tests }: FilterTerm, facts: FilterFacts): boolean {
  if ("word" in of) return fitsText(tests, [facts.id, facts.step, facts.queue]);
  if ("tag" in of)
    return fitsText(tests, [facts.tags !== null && Object.hasOwn(facts.tags, of.tag) ? facts.tags[of.tag] : null]);
  return fitsField(of.field, tests, facts);
}

function fitsField(field: FilterField, tests: readonly FilterTest[], facts: FilterFacts): boolean {
  switch (field) {
    case "state":
    case "queue":
    case "step":
    case "key":
    case "id":
      return fitsText(tests, [facts[field]]);
    case "err":
      return fitsText(tests, [facts.error?.message, facts.error?.name, facts.error?.code]);
    case "code":
      return fitsText(tests, [facts.error?.code]);
    case "attempt":
    case "priority":
      return fitsNumber(tests, facts[field]);
    case "created":
      return fitsNumber(tests, facts.enqueuedAt?.getTime());
    case "started":
      return fitsNumber(tests, facts.startedAt?.getTime());
    case "finished":
      return fitsNumber(tests, facts.finishedAt?.getTime());
    case "duration":
      return fitsNumber(tests, durationOf(facts));
  }
}

/** How long the last Attempt took, by the clocks of those who noted it. */
function durationOf({ startedAt, finishedAt }: FilterFacts): number | undefined {
  return startedAt === null || finishedAt === null ? undefined : finishedAt.getTime() - startedAt.getTime();
}

function fitsText(tests: readonly FilterTest[], texts: readonly (string | null | undefined)[]): boolean {
  return tests.some((test) => texts.some((text) => typeof text === "string" && isTextFit(test, text)));
}

function fitsNumber(tests: readonly FilterTest[], value: number | undefined): boolean {
  if (value === undefined) return false;
  return tests.some((test) => test.kind === "within" && value >= test.from && value <= test.to);
}

/**
 * What a filter lets a search index look for: the parts of it that are about facts an index has. All that it finds is
 * judged by the whole filter afterwards, so a plan may let too much through and never too little.
 * Pure.
 */
import { type Filter, type FilterTest, isTextFit } from "./filter.js";
import { keyHash, type SearchWish, tagHash } from "./search-table.js";

/** The wish of a filter, or null if an index is of no help: nothing it asks for is known there. */
export function planOf(filter: Filter): SearchWish | null {
  const steps: (readonly FilterTest[])[] = [];
  const words: string[] = [];
  const moments: (readonly FilterTest[])[] = [];
  const tags: number[][] = [];
  for (const { of, isNegated, tests } of filter.terms) {
    if (isNegated) continue;
    if ("word" in of)
      words.push(...tests.flatMap((test) => (test.kind === "contains" ? [test.text.toLowerCase()] : [])));
    else if ("tag" in of || of.field === "key") {
      const values = tests.flatMap((test) => (test.kind === "is" ? [test.text] : []));
      const hashOf = (value: string): number => ("tag" in of ? tagHash(of.tag, value) : keyHash(value));
      if (values.length === tests.length) tags.push(values.map(hashOf));
    } else if (of.field === "step") steps.push(tests);
    else if (of.field === "created") moments.push(tests);
  }
  if (steps.length + words.length + moments.length + tags.length === 0) return null;
  return {
    isStep:
      steps.length === 0
        ? null
        : (name) => name !== "" && steps.every((tests) => tests.some((test) => isTextFit(test, name))),
    words,
    tags,
    isMoment: moments.length === 0 ? null : (ms) => moments.every((tests) => tests.some((test) => isWithin(test, ms))),
  };
}

function isWithin(test: FilterTest, value: number): boolean {
  return test.kind === "within" && value >= test.from && value <= test.to;
}

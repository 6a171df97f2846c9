/**
 * Checking an App's Segments while they are in use (elsewhere: fsck): every part of each is looked at by atomic calls of
 * bounded size; what contradicts itself is told, and mended if asked for, in the very call that finds it.
 *
 * A run can be stopped and gone on with from the cursor of its last step. Nothing is remembered in the store.
 */
import { createError } from "../base/errors.js";
import { type Given, type OptionTable, type Resolved, resolveOptions } from "../base/options.js";
import { tryPlaceId } from "../engine/dot.js";
import { type CheckFinding, FINDINGS, type FindingKind } from "../engine/findings.js";
import type { CheckAnswer } from "../engine/transitions.js";
import { compareNames } from "../queue/names.js";
import type { Reach } from "./reach.js";

/** One finding, with where it is and what it means. */
export interface FsckFinding extends CheckFinding {
  readonly segment: string;
  /** What is wrong, and what mending does. */
  readonly meaning: string;
  readonly isMended: boolean;
}

/** One step of a run: one store call. */
export interface FsckStep {
  readonly segment: string;
  readonly looked: number;
  readonly findings: readonly FsckFinding[];
  /** Hand it in to go on from here. */
  readonly cursor: string;
}

/** How a run ended. */
export interface FsckReport {
  readonly looked: number;
  readonly found: number;
  readonly mended: number;
  readonly byKind: Readonly<Partial<Record<FindingKind, number>>>;
  /** The first of them, at most 1,000. */
  readonly findings: readonly FsckFinding[];
  /** Records were too many for all to be searched on their lists: some that are lost may not have been found. */
  readonly partial: boolean;
  readonly isAborted: boolean;
}

/** Options of `fsck`. */
export const fsckTable = {
  repair: { type: "boolean", default: false, sentence: "Mend what is found, in the call that finds it." },
  segment: { type: "string", sentence: "Only this Segment." },
  cursor: { type: "string", sentence: "Where to go on: the `cursor` of a step." },
  page: { type: "integer", default: 100, min: 1, max: 1_000, sentence: "Elements looked at per store call, about." },
  signal: {
    type: "custom",
    expected: "an AbortSignal",
    sentence: "Ends the run between two store calls.",
    parse: (value: unknown): AbortSignal | null => (value instanceof AbortSignal ? value : null),
  },
} as const satisfies OptionTable;

/** Options of `fsck`, as they are given. */
export type FsckOptions = Given<typeof fsckTable>;

const FINDINGS_MAX = 1_000;
/** Records in no place, and cancelled elements, that are remembered until the lists were read. */
const SUSPECTS_MAX = 500_000;
/** Of those left over, how many are searched for in one call: each costs a walk along its list. */
const SEARCHED_MAX = 1;

/** A run: iterate it for its steps, or await `done()`. */
export class FsckRun implements AsyncIterable<FsckStep> {
  readonly #reach: Reach;
  readonly #options: Resolved<typeof fsckTable>;
  readonly #byKind = new Map<FindingKind, number>();
  readonly #findings: FsckFinding[] = [];
  #looked = 0;
  #found = 0;
  #isPartial = false;
  #isAborted = false;
  #steps: AsyncGenerator<FsckStep, void, undefined> | null = null;

  /** Reads the options. Errors: MR_INVALID_OPTION. */
  constructor(reach: Reach, options: FsckOptions) {
    this.#reach = reach;
    this.#options = resolveOptions(fsckTable, options, "fsck");
  }

  /** Runs and tells after each store call. Errors: those of the store. */
  [Symbol.asyncIterator](): AsyncGenerator<FsckStep, void, undefined> {
    this.#steps ??= this.#run();
    return this.#steps;
  }

  /** Runs to the end, if it did not, and tells what was found. Errors: those of the store. */
  async done(): Promise<FsckReport> {
    for await (const _ of this); // each step is one store call
    return this.report;
  }

  /** What was found so far. */
  get report(): FsckReport {
    return {
      looked: this.#looked,
      found: this.#found,
      mended: this.#options.repair ? this.#found : 0,
      byKind: Object.fromEntries(this.#byKind),
      findings: this.#findings,
      partial: this.#isPartial,
      isAborted: this.#isAborted,
    };
  }

  async *#run(): AsyncGenerator<FsckStep, void, undefined> {
    await this.#reach.opened("inspect.fsck");
    const from = this.#options.cursor === undefined ? null : readCursor(this.#options.cursor);
    const segments = [...(await this.#reach.call((store) => store.segments()))]
      .filter((segment) => this.#options.segment === undefined || segment === this.#options.segment)
      .filter((segment) => from === null || compareNames(segment, from.segment) >= 0)
      .sort(compareNames);
    for (const segment of segments) {
      yield* this.#checkSegment(segment, from?.segment === segment ? from.place : null);
      if (this.#isAborted) return;
    }
  }

  async *#checkSegment(segment: string, from: string | null): AsyncGenerator<FsckStep, void, undefined> {
    const suspects = new Set<string>();
    // Whoever goes on later has no suspects: they are gathered anew from where the first one was met.
    let restart: string | null = null;
    let place = from;
    do {
      if (this.#mustEnd()) return;
      const asked: string | null = place;
      const answer = await this.#check(segment, asked, []);
      if (suspects.size === 0 && answer.placeless.length > 0) restart = asked;
      for (const id of answer.placeless) {
        if (suspects.size < SUSPECTS_MAX) suspects.add(id);
        else this.#isPartial = true;
      }
      for (const id of answer.listed) suspects.delete(id);
      place = answer.cursor;
      yield this.#step(segment, answer, restart ?? place ?? "");
    } while (place !== null);
    const left = [...suspects];
    for (let at = 0; at < left.length; at += SEARCHED_MAX) {
      if (this.#mustEnd()) return;
      const answer = await this.#check(segment, null, left.slice(at, at + SEARCHED_MAX));
      yield this.#step(segment, answer, restart ?? "");
    }
  }

  async #check(segment: string, cursor: string | null, ids: readonly string[]): Promise<CheckAnswer> {
    const { page: max, repair: isMending } = this.#options;
    const suspects = ids.flatMap((id) => tryPlaceId(id)?.dot ?? []);
    return await this.#reach.call((store) => store.check(segment, { cursor, max, isMending, suspects }));
  }

  #step(segment: string, answer: CheckAnswer, place: string): FsckStep {
    const { repair: isMended } = this.#options;
    const findings = answer.findings.map((one) => ({ ...one, segment, meaning: FINDINGS[one.kind], isMended }));
    this.#looked += answer.looked;
    this.#found += findings.length;
    for (const finding of findings) {
      this.#byKind.set(finding.kind, (this.#byKind.get(finding.kind) ?? 0) + 1);
      if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding);
    }
    return { segment, looked: answer.looked, findings, cursor: writeCursor(segment, place) };
  }

  #mustEnd(): boolean {
    if (this.#options.signal?.aborted === true) this.#isAborted = true;
    return this.#isAborted;
  }
}

function writeCursor(segment: string, place: string): string {
  return Buffer.from(`${segment} ${place}`).toString("base64url");
}

/** Segments have no spaces in their names. Errors: MR_INVALID_OPTION. */
function readCursor(text: string): { readonly segment: string; readonly place: string | null } {
  const found = /^(\S+) ([a-z]+:.*)?$/.exec(Buffer.from(text, "base64url").toString());
  if (found?.[1] !== undefined) return { segment: found[1], place: found[2] ?? null };
  throw createError("MR_INVALID_OPTION", { path: "fsck.cursor", problem: "expected the cursor of a step" });
}

/**
 * The records of Steps (elsewhere: registered tasks, job types): every Step that is declared here, that a Node says it
 * can run, that has Operations or limits in use; who runs it, how much of it is where, what bounds it.
 *
 * A store keeps no Steps: a record is put together from the index of Nodes, the limits and a count, at the call.
 */
import { decode, encode } from "../base/codec.js";
import { createError } from "../base/errors.js";
import type { OptionTable } from "../base/options.js";
import { mayHaveMore } from "../engine/node.js";
import { compareNames } from "../queue/names.js";
import type { CountRow } from "./inspect-counts.js";
import { nodesOf } from "./inspect-nodes.js";
import type { InspectServices } from "./inspect-services.js";
import { Limits, type LimitView } from "./limits.js";

/** Options of `steps`. */
export const stepsTable = {
  name: { type: "string", sentence: "Only the Step of this name." },
  node: { type: "string", sentence: "Only Steps that a process of this Node runs." },
  state: {
    type: "string",
    choices: ["scheduled", "ready", "blocked", "running", "failed"],
    sentence: "Only Steps of which something is in this state.",
  },
  counts: {
    type: "boolean",
    default: true,
    sentence: "Count their Operations, one by one; without it only Steps with Nodes or limits are known.",
  },
  cursor: { type: "string", sentence: "Where to go on: the `cursor` of the page before." },
  limit: { type: "integer", default: 100, min: 1, max: 1_000, sentence: "Most Steps of a page." },
  budget: {
    type: "duration",
    default: 150,
    min: 1,
    max: "1h",
    sentence: "How long to count one by one before answering in part.",
  },
} as const satisfies OptionTable;

/** One Step as a list shows it. */
export interface StepView {
  readonly name: string;
  /** The Nodes that run it, by name; none: what waits of it waits until one comes. */
  readonly nodes: readonly string[];
  /** How many processes of these Nodes run it. */
  readonly processes: number;
  /** Whether it has keys, an order, limits or turns, which an enqueue by name alone would pass by; null: nobody says. */
  readonly isTied: boolean | null;
  /** How many of its Operations are where; null if they were not counted. */
  readonly counts: Omit<CountRow, "step"> | null;
  /** Its limits, each over all its keys: those that are in use, were set live, or are declared here. */
  readonly limits: readonly LimitView[];
}

/** A page of Steps, by name. */
export interface StepPage {
  readonly steps: readonly StepView[];
  /** Hand it in for the next page; null: there is no more. */
  readonly cursor: string | null;
  /** Counts are too low, or Steps are missing: a budget was used up, or a Node has more Steps than it tells. */
  readonly partial: boolean;
}

/** What is asked of `steps`, its defaults filled in. */
export interface StepWishes {
  readonly name?: string | undefined;
  readonly node?: string | undefined;
  readonly state?: "scheduled" | "ready" | "blocked" | "running" | "failed" | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** The rows of a count by Step, and whether its budget was used up. */
export interface StepCounts {
  readonly rows: readonly CountRow[];
  readonly partial: boolean;
}

/** Puts a page together; `counted` is null if nothing was to be counted. Errors: MR_INVALID_OPTION · the store's. */
export async function stepPage(
  services: InspectServices,
  wishes: StepWishes,
  counted: StepCounts | null,
): Promise<StepPage> {
  const { name, node, state, cursor, limit } = wishes;
  const after = cursor === undefined ? null : readCursor(cursor);
  const known = new KnownSteps(counted !== null);
  for (const { name: step, isTied } of services.steps()) known.declare(step, isTied);
  let partial = counted?.partial ?? false;
  for (const { node: of, about, isLive } of await nodesOf(services)) {
    if (isLive === false) continue;
    partial ||= about === null || mayHaveMore(about.steps);
    for (const step of about?.steps ?? []) known.serve(step, of, about?.tied.includes(step) ?? false);
  }
  const inUse = await new Limits(services).list(name);
  partial ||= inUse.partial;
  for (const view of inUse.limits) if (view.key === null) known.bound(view);
  for (const row of counted?.rows ?? []) if (row.step !== null) known.count(row.step, row);
  const found = known.views().filter((view) => {
    if (name !== undefined && view.name !== name) return false;
    if (node !== undefined && !view.nodes.includes(node)) return false;
    if (state !== undefined && (view.counts?.[state] ?? 0) === 0) return false;
    return after === null || compareNames(view.name, after) > 0;
  });
  const steps = found.slice(0, limit);
  const last = found.length > limit ? steps.at(-1) : undefined;
  return { steps, cursor: last === undefined ? null : writeCursor(last.name), partial };
}

interface Known {
  readonly name: string;
  readonly nodes: Set<string>;
  processes: number;
  isTied: boolean | null;
  counts: StepView["counts"];
  readonly limits: LimitView[];
}

/** Steps as they become known. */
class KnownSteps {
  readonly #byName = new Map<string, Known>();
  readonly #isCounted: boolean;

  constructor(isCounted: boolean) {
    this.#isCounted = isCounted;
  }

  declare(step: string, isTied: boolean): void {
    const known = this.#of(step);
    known.isTied = isTied || known.isTied === true;
  }

  serve(step: string, node: string, isTied: boolean): void {
    this.declare(step, isTied);
    const known = this.#of(step);
    known.nodes.add(node);
    known.processes++;
  }

  bound(view: LimitView): void {
    const known = this.#of(view.step);
    known.limits.push(view);
    known.isTied = true;
  }

  count(step: string, { scheduled, ready, blocked, running, failed }: CountRow): void {
    this.#of(step).counts = { scheduled, ready, blocked, running, failed };
  }

  /** All of them, by name. */
  views(): StepView[] {
    return [...this.#byName.values()]
      .map((known) => ({ ...known, nodes: [...known.nodes].sort(compareNames) }))
      .sort((a, b) => compareNames(a.name, b.name));
  }

  #of(name: string): Known {
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    const counts = this.#isCounted ? { scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 0 } : null;
    const made: Known = { name, nodes: new Set(), processes: 0, isTied: null, counts, limits: [] };
    this.#byName.set(name, made);
    return made;
  }
}

function writeCursor(name: string): string {
  return Buffer.from(encode(["step", name], "cursor")).toString("base64url");
}

/** Errors: MR_INVALID_OPTION for a text that is no cursor of Steps. */
function readCursor(text: string): string {
  try {
    const read = decode(Buffer.from(text, "base64url"));
    if (Array.isArray(read) && read[0] === "step" && typeof read[1] === "string") return read[1];
  } catch {
    // no cursor: said below
  }
  throw createError("MR_INVALID_OPTION", { path: "steps.cursor", problem: "expected the `cursor` of a page of Steps" });
}

/**
 * `app.limits`: the numbers of Steps' limits, changed while everything runs (elsewhere: dynamic concurrency, live rate
 * limits), and what is in use. A *live* number goes before what code says, in every process and Node, until it is taken
 * back. All limits of a Step meet in one Segment, so a change is one store call: it holds whole or not at all.
 */
import { createError } from "../base/errors.js";
import { type Given, nearest, type OptionTable, resolveOptions } from "../base/options.js";
import { decodeAbout, mayHave } from "../engine/node.js";
import type { GateInUse, LimitsAnswer, LiveNumber } from "../engine/transitions.js";
import { isKeyedSegment, keyedSegment } from "../queue/keyed-producer.js";
import { compareNames } from "../queue/names.js";
import { parsePace, type StepDefinition } from "../workflow/step.js";
import type { Reach } from "./reach.js";
import { nameOf } from "./ties.js";

/** A number for one of a Step's limits: exactly one of `concurrency` and `rate`. */
export const limitTable = {
  concurrency: {
    type: "integer",
    min: 0,
    max: 0xffff_ffff,
    sentence: "How many run at once, instead of what the Step says; 0 lets none begin.",
  },
  rate: {
    type: "custom",
    expected: "{ limit, per, burst? } or null for as many as come",
    parse: (value: unknown) => (value === null ? ANY : parsePace(value)),
    sentence: "How many begin in a time, instead of what the Step says; null: as many as come.",
  },
  position: {
    type: "integer",
    min: 0,
    max: 7,
    sentence: "Which one, counted from 0, where the Step has several limits of that kind.",
  },
  key: { type: "string", sentence: "Of this key alone; by default of all keys that have no number of their own." },
} as const satisfies OptionTable;

/** Which live numbers to take back. */
export const resetTable = {
  kind: {
    type: "string",
    choices: ["concurrency", "rate"],
    sentence: "Only those of this kind; by default both.",
  },
  position: { type: "integer", min: 0, max: 7, sentence: "Only those of this one, counted from 0." },
  key: { type: "string", sentence: "Only that of this key." },
} as const satisfies OptionTable;

const ANY = { everyMs: 0, burst: 1 };

/** A live number for a limit, as it is given. */
export type LiveLimit = Omit<Given<typeof limitTable>, "rate"> & {
  readonly rate?: { readonly limit: number; readonly per: number | string; readonly burst?: number } | null;
};

/** Which live numbers to take back; an empty one means all of the Step. */
export type LimitFilter = Given<typeof resetTable>;

/** A limit of a Step: in all, or of one key. */
export interface LimitView {
  readonly step: string;
  readonly kind: "concurrency" | "rate";
  /** Counted from 0 among the Step's limits of that kind. */
  readonly position: number;
  /** Null: the limit itself, counted over all its keys. A very long key shows as its hash. */
  readonly key: string | null;
  /** The number that was set here, or null. */
  readonly live: LiveNumber | null;
  readonly since: Date | null;
  /** Some of those that wait were not told of the number yet; a Foreman goes on with that. */
  readonly isSettling: boolean;
  /** How many may run at once now; null of a rate, of a limit with keys as a whole, and where nobody who waits says it. */
  readonly limit: number | null;
  /** Milliseconds from one to the next now, and how many may begin at once; null as above. */
  readonly everyMs: number | null;
  readonly burst: number | null;
  /** How many run, of a concurrency limit. */
  readonly used: number;
  /** How many are kept here. */
  readonly parked: number;
  /** When a rate lets the next one begin; null if that is not known. */
  readonly opensAt: Date | null;
}

/** What was taken back, told, and looked at. */
export interface LimitList {
  readonly limits: readonly LimitView[];
  /** More gates are in use than were looked at: the counts are too low. */
  readonly partial: boolean;
}

/** What an App lends its limits. */
export interface LimitServices {
  readonly reach: Reach;
  /** The Steps declared here. */
  readonly steps: () => readonly StepDefinition[];
}

/** Most that go on in one store call. */
const MOVES = 1_000;
/** How often `set` calls before it leaves the rest to the Foremen. */
const CALLS_MAX = 25;
/** Gates looked at. */
const GATES_MAX = 1_000;

/** Changes limits while everything runs. */
export class Limits {
  readonly #services: LimitServices;

  constructor(services: LimitServices) {
    this.#services = services;
  }

  /**
   * Sets a limit's number at once for all that waits and comes, in every process; it outlives restarts and goes before
   * what code says, until `reset`. What runs goes on. Setting the same again changes nothing.
   *
   * Errors: MR_UNKNOWN_TARGET for a Step that nobody knows · MR_INVALID_OPTION for a limit the Step does not have, naming
   * those it has · MR_STORE_UNAVAILABLE, MR_INDETERMINATE (repeat it), MR_APP_CLOSED.
   */
  async set(step: string, limit: LiveLimit): Promise<void> {
    const path = `limits ${step}`;
    const { concurrency, rate, position, key } = resolveOptions(limitTable, limit, path);
    if ((concurrency === undefined) === (rate === undefined)) {
      throw createError("MR_INVALID_OPTION", { path, problem: "expected either `concurrency` or `rate`" });
    }
    const kind = rate === undefined ? "concurrency" : "rate";
    await this.#services.reach.opened("limits.set");
    const at = await this.#placeOf(step, kind, position, key);
    const name = key === undefined ? scopeOf(step, kind, at) : nameOf(scopeOf(step, kind, at), key);
    const number = rate === undefined ? { slots: concurrency ?? 0 } : { everyMs: rate.everyMs, burst: rate.burst };
    await this.#open(step);
    await this.#tell(step, name, number);
  }

  /**
   * Takes live numbers of a Step back: what code says counts again, at once. Answers how many there were.
   *
   * Errors: MR_INVALID_OPTION · MR_STORE_UNAVAILABLE, MR_INDETERMINATE (repeat it), MR_APP_CLOSED.
   */
  async reset(step: string, filter: LimitFilter = {}): Promise<number> {
    const { kind, position, key } = resolveOptions(resetTable, filter, `limits ${step}`);
    await this.#services.reach.opened("limits.reset");
    let count = 0;
    for (const { name } of (await this.#read(step))?.live ?? []) {
      const limit = limitOf(name);
      if (limit === null || limit.step !== step) continue;
      if ((kind ?? limit.kind) !== limit.kind || (position ?? limit.position) !== limit.position) continue;
      if (key !== undefined && name !== nameOf(scopeOf(step, limit.kind, limit.position), key)) continue;
      await this.#tell(step, name, null);
      count++;
    }
    return count;
  }

  /**
   * Lists what is set and what is in use: of each limit first itself, then its keys by name. Limits of Steps declared
   * here are there even if nothing runs.
   *
   * Errors: MR_STORE_UNAVAILABLE, MR_APP_CLOSED.
   */
  async list(step?: string): Promise<LimitList> {
    await this.#services.reach.opened("limits.list");
    const views: Views = new Map();
    let partial = false;
    for (const segment of await this.#segments(step)) {
      const answer = await this.#services.reach.call((store) => store.limits(segment, { max: GATES_MAX }));
      partial ||= answer.isPartial;
      this.#view(answer, views, step);
    }
    for (const definition of this.#services.steps()) {
      if ((step ?? definition.name) === definition.name) addDeclared(views, definition);
    }
    const limits = [...views.values()].sort(
      (a, b) =>
        compareNames(a.step, b.step) ||
        compareNames(a.kind, b.kind) ||
        a.position - b.position ||
        compareNames(a.key ?? "", b.key ?? ""),
    );
    return { limits, partial };
  }

  // ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #stepOf(name: string): StepDefinition | undefined {
    return this.#services.steps().find((step) => step.name === name);
  }

  async #tell(step: string, name: string, number: LiveNumber | null): Promise<void> {
    const params = { name, number, max: MOVES };
    for (let calls = 0; calls < CALLS_MAX; calls++) {
      const { isSettled } = await this.#services.reach.call((store) => store.limitSet(keyedSegment(step), params));
      if (isSettled) return;
    }
  }

  /** The Step's Segment, if it was opened before. */
  async #segments(step: string | undefined): Promise<readonly string[]> {
    const segments = await this.#services.reach.call((store) => store.segments());
    return segments.filter((name) => (step === undefined ? isKeyedSegment(name) : name === keyedSegment(step)));
  }

  async #open(step: string): Promise<void> {
    if ((await this.#segments(step)).length > 0) return;
    await this.#services.reach.call((store) => store.openSegment(keyedSegment(step)));
  }

  async #read(step: string): Promise<LimitsAnswer | null> {
    const [segment] = await this.#segments(step);
    return segment === undefined
      ? null
      : await this.#services.reach.call((store) => store.limits(segment, { max: GATES_MAX }));
  }

  /** Which of the Step's limits is meant. Errors: MR_UNKNOWN_TARGET, MR_INVALID_OPTION. */
  async #placeOf(
    step: string,
    kind: LimitView["kind"],
    position: number | undefined,
    key: string | undefined,
  ): Promise<number> {
    const definition = this.#stepOf(step);
    if (definition === undefined) {
      await this.#checkStep(step);
      return position ?? 0;
    }
    const refuse = (problem: string): Error => {
      return createError("MR_INVALID_OPTION", { path: `limits ${step}`, problem });
    };
    const own = definition[kind];
    const what = kind === "rate" ? "rate" : "concurrency limit";
    if (own.length === 0) throw refuse(`the Step has no ${what}; only one that it has can be changed`);
    if (position === undefined && own.length > 1) {
      throw refuse(`the Step has ${own.length} of these: say which one by \`position\`, 0 to ${own.length - 1}`);
    }
    const at = position ?? 0;
    const limit = own[at];
    if (limit === undefined) throw refuse(`there is no ${what} at position ${at}: the Step has ${own.length}`);
    if (key !== undefined && limit.key === null) throw refuse(`its ${what} ${at} has no key: it is one for all`);
    return at;
  }

  /** A Step that is not declared here must be known to a Node, if any is there to know. Errors: MR_UNKNOWN_TARGET. */
  async #checkStep(step: string): Promise<void> {
    const nodes = await this.#services.reach.call((store) => store.nodes());
    const told = nodes.map(({ about }) => decodeAbout(about)?.steps ?? []);
    const names = [...new Set(told.flat())];
    if (names.length === 0 || told.some((steps) => mayHave(steps, step))) return;
    const near = nearest(step, names);
    throw createError("MR_UNKNOWN_TARGET", { name: step, hint: near === null ? "" : `, did you mean \`${near}\`?` });
  }

  #view({ live, gates }: LimitsAnswer, views: Views, only: string | undefined): void {
    for (const { name, number, sinceMs, isSettling } of live) {
      const limit = limitOf(name);
      if (limit === null || (only ?? limit.step) !== limit.step) continue;
      const view = viewIn(views, limit);
      if (limit.key === null) setNumber(view, number);
      Object.assign(view, { live: number, since: new Date(sinceMs), isSettling });
    }
    for (const gate of gates) {
      const limit = limitOf(gate.name);
      if (limit === null || (only ?? limit.step) !== limit.step) continue;
      const whole = viewIn(views, { ...limit, key: null });
      whole.used += gate.used;
      whole.parked += gate.parked;
      // One without a key is the limit itself.
      const view = limit.key === "" ? whole : viewIn(views, limit);
      if (view !== whole) {
        view.used = gate.used;
        view.parked = gate.parked;
      }
      this.#number(view, gate);
    }
  }

  /** What a gate says of itself, else what the Step says that is declared here. */
  #number(view: Writable<LimitView>, gate: GateInUse): void {
    view.opensAt = gate.opensAtMs === null ? null : new Date(gate.opensAtMs);
    if (gate.slots !== null) view.limit = gate.slots;
    if (gate.everyMs !== null) Object.assign(view, { everyMs: gate.everyMs, burst: gate.burst });
    if (gate.slots !== null || gate.everyMs !== null) return;
    const said = this.#stepOf(view.step)?.[view.kind][view.position];
    if (said !== undefined) setNumber(view, "limit" in said ? { slots: said.limit } : said);
  }
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

function setNumber(view: Writable<LimitView>, number: { readonly slots: number } | { everyMs: number; burst: number }) {
  if ("slots" in number) view.limit = number.slots;
  else Object.assign(view, { everyMs: number.everyMs, burst: number.burst });
}

type Views = Map<string, Writable<LimitView>>;

/** The view of a limit or of one key of it, made if it is not there. */
function viewIn(views: Views, limit: Pick<LimitView, "step" | "kind" | "position" | "key">): Writable<LimitView> {
  const { step, kind, position, key } = limit;
  const id = `${scopeOf(step, kind, position)}:${key ?? ""}`;
  const found = views.get(id) ?? emptyView(step, kind, position, key);
  views.set(id, found);
  return found;
}

/** The limits a Step says; its own numbers where nothing else is known. */
function addDeclared(views: Views, step: StepDefinition): void {
  for (const kind of ["concurrency", "rate"] as const) {
    for (const [position, said] of step[kind].entries()) {
      const view = viewIn(views, { step: step.name, kind, position, key: null });
      if (view.limit === null && view.everyMs === null) setNumber(view, "limit" in said ? { slots: said.limit } : said);
    }
  }
}

function emptyView(step: string, kind: LimitView["kind"], position: number, key: string | null): Writable<LimitView> {
  return {
    ...{ step, kind, position, key, live: null, since: null, isSettling: false },
    ...{ limit: null, everyMs: null, burst: null, used: 0, parked: 0, opensAt: null },
  };
}

/** What stands before the colon of the gates of one limit, as ties.ts names them. */
function scopeOf(step: string, kind: LimitView["kind"], position: number): string {
  return `${step}${kind === "concurrency" ? "#" : "@"}${position}`;
}

/** The limit of a gate or of a live number; null for one that no Step has. The key of a whole limit is null. */
function limitOf(name: string): Pick<LimitView, "step" | "kind" | "position" | "key"> | null {
  const found = /^([^#@:]+)([#@])(\d+)(?::(.*))?$/s.exec(name);
  if (found === null) return null;
  const [, step = "", sign, position, key] = found;
  return { step, kind: sign === "#" ? "concurrency" : "rate", position: Number(position), key: key ?? null };
}

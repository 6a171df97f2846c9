/**
 * The Steps of a profile, declared in one place: the client reads from them what an Operation is tied to, Foremen run
 * them, the checker is told their bounds.
 */
import { inspect } from "node:util";
import type { App, StepContext } from "@millrace/core";
import type { RunBounds } from "../../checker/run-history.js";
import { hashOf } from "../foremen/hash.js";

/** What a Step of a profile is given. */
export interface Errand {
  /** Place in the order of enqueueing; with `text` it makes every errand another. */
  readonly n: number;
  readonly text: string;
  /** How long it takes. */
  readonly ms: number;
  /** How many Attempts fail before one does not. */
  readonly fails?: number;
  /** What it is tied to: a line, a limit or a key, after its Step. */
  readonly key?: string;
  /** A value that is easily spoilt on its way. */
  readonly odd?: unknown;
}

/** What a Step of a profile does. */
export type Run = (step: ErrandStep, errand: Errand, context: StepContext) => Promise<void>;

/** Values that codecs, Lua and JSON like to change. */
export const ODDITIES: readonly unknown[] = [
  ...[2n ** 53n + 1n, 2 ** 53, -0, [], {}, [[], {}], "\0", "a\0b", "\ud800", 1e308, 5e-324, "", null, Number.NaN],
  ...["\r\n$5\r\n*1", 1795321433053418, 3.99, "ÿþ", "🜚", { "": 0 }, true],
];

const byKey = ({ key = "" }: Errand): string => key;

/** How many of one key, and of all, run at once. */
const CAP_EACH = 2;
const CAP_ALL = 4;
/** Lowered now and then while all runs. */
const CAP_LIVE = 4;
const PACE = { limit: 25, per: "1s", burst: 3 } as const;

const STEPS = {
  plain: { retries: 0 },
  flaky: { retries: 2, retryDelay: 20, backoff: "fixed" },
  line: { order: byKey, retries: 2, retryDelay: 10, backoff: "fixed" },
  capped: { concurrency: [CAP_ALL, { limit: CAP_EACH, key: byKey }], retries: 0 },
  narrow: { concurrency: CAP_LIVE, retries: 0 },
  paced: { rate: PACE, retries: 0 },
  once: { dedupe: { key: byKey }, retries: 0 },
  slow: { retries: 0 },
  gate: { queue: "gate", retries: 0 },
  stumble: { retries: 2, retryDelay: 20, backoff: "fixed" },
  poison: { retries: 0 },
  martyr: { retries: 0 },
} as const;

/** Name of a Step of a profile. */
export type ErrandStep = keyof typeof STEPS;

/** Every Step's name. */
export const ERRAND_STEPS = Object.keys(STEPS) as readonly ErrandStep[]; // the keys of STEPS are ErrandSteps

/** The keys that `capped` is spread over. */
export const CAPPED_KEYS = ["a", "b", "c"] as const;

/** Declares all Steps of a profile. */
export function declareErrands(app: App, run: Run) {
  const declare = (name: ErrandStep) =>
    app.step(name, STEPS[name], async (errand: Errand, context) => await run(name, errand, context));
  return Object.fromEntries(ERRAND_STEPS.map((name) => [name, declare(name)])) as Record<
    ErrandStep,
    ReturnType<typeof declare>
  >; // one entry for each name
}

/** The limits a start counts against, by the names of `errandBounds`. */
export function limitsOf(step: ErrandStep, { key = "" }: Errand): { caps?: string[]; paces?: string[] } {
  if (step === "capped") return { caps: ["capped", `capped ${key}`] };
  if (step === "narrow") return { caps: ["narrow"] };
  return step === "paced" ? { paces: ["paced"] } : {};
}

/** What the checker must know of the Steps. */
export const errandBounds = {
  attemptsMax: Object.fromEntries(ERRAND_STEPS.map((name) => [name, 1 + STEPS[name].retries])),
  recoveriesMax: 3,
  caps: {
    narrow: CAP_LIVE,
    capped: CAP_ALL,
    ...Object.fromEntries(CAPPED_KEYS.map((key) => [`capped ${key}`, CAP_EACH])),
  },
  paces: { paced: { everyMs: 1_000 / PACE.limit, burst: PACE.burst } },
} satisfies Partial<RunBounds>;

/** Digest of an errand that tells −0 from 0, bigints from numbers and half a surrogate pair from none. */
export function digestOf(errand: Errand): string {
  const shown = inspect(errand, {
    depth: null,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Infinity,
    sorted: true,
  });
  return hashOf(shown);
}

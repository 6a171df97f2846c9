/**
 * What a scenario tells: how it was run, what it showed, what it broke. The same for people and for machines.
 */
import type { Breach, ForemanVerdict } from "../../checker/foremen.js";
import type { Form } from "./settings.js";

/** How a scenario is run. */
export interface ScenarioOptions {
  readonly form: Form;
  readonly seed: number;
  readonly leaseMs: number;
  /** Told how far it is, in words. */
  readonly progress: (says: string) => void;
}

/** What it showed. */
export interface Report {
  readonly scenario: string;
  readonly form: Form;
  readonly seed: number;
  readonly leaseMs: number;
  readonly seconds: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly breaches: readonly Breach[];
}

/** Runs a scenario's body and times it. */
export async function report(
  scenario: string,
  options: ScenarioOptions,
  body: () => Promise<{ readonly figures: Readonly<Record<string, number>>; readonly breaches: readonly Breach[] }>,
): Promise<Report> {
  const startedAt = performance.now();
  const { figures, breaches } = await body();
  const { form, seed, leaseMs } = options;
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return { scenario, form, seed, leaseMs, seconds, figures, breaches };
}

/** The figures of a verdict as plain numbers; spreads become median and worst. */
export function figuresOf({ figures }: ForemanVerdict): Record<string, number> {
  const { resumedMs, stopMs, ...plain } = figures;
  return {
    ...plain,
    ...(resumedMs.length === 0
      ? {}
      : { resumedP50Ms: at(resumedMs, 0.5), resumedP99Ms: at(resumedMs, 0.99), resumedMaxMs: at(resumedMs, 1) }),
    ...(stopMs.length === 0 ? {} : { stopP50Ms: at(stopMs, 0.5), stopMaxMs: at(stopMs, 1) }),
  };
}

/** A breach of the run itself: it did not show what it was made to show. */
export function breach(promise: string, says: string): Breach {
  return { promise, id: "*", says };
}

function at(ascending: readonly number[], share: number): number {
  return Math.round(ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0);
}

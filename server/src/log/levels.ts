/**
 * Log levels, for all targets or for one (elsewhere: verbosity, namespaces). A target names who speaks: foreman,
 * worker, store, mix.
 */

/** Levels from the least to the most important; `silent` lets nothing through. */
export const LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
/** Who speaks. */
export const TARGETS = ["foreman", "worker", "store", "mix"] as const;

export type Level = (typeof LEVELS)[number];
export type Target = (typeof TARGETS)[number];

/** Which lines are written. */
export interface Levels {
  /** For targets that are not named. */
  readonly general: Level;
  readonly byTarget: ReadonlyMap<Target, Level>;
}

/** Reads `info,store=debug`; null if it says something else. The general level may be left out: `info`. */
export function parseLevels(text: unknown): Levels | null {
  if (typeof text !== "string" || text.trim() === "") return null;
  let general: Level | null = null;
  const byTarget = new Map<Target, Level>();
  for (const part of text.split(",")) {
    const [left = "", right, ...rest] = part.trim().toLowerCase().split("=");
    if (rest.length > 0) return null;
    if (right === undefined) {
      if (general !== null || !isLevel(left)) return null;
      general = left;
    } else {
      if (!isTarget(left) || !isLevel(right) || byTarget.has(left)) return null;
      byTarget.set(left, right);
    }
  }
  return { general: general ?? "info", byTarget };
}

/** Whether a line of this level is written. */
export function isWritten(levels: Levels, target: Target, level: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(levels.byTarget.get(target) ?? levels.general);
}

/** The least important level that any target writes. */
export function lowest(levels: Levels): Level {
  const all = [levels.general, ...levels.byTarget.values()];
  return LEVELS.find((level) => all.includes(level)) ?? levels.general;
}

/** Whether a text names a target. */
export function isTarget(text: unknown): text is Target {
  return (TARGETS as readonly unknown[]).includes(text);
}

function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}

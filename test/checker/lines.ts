/**
 * I25, order: Operations of one line begin in the order of their enqueue, each when the one before it is over.
 *
 * A place in a line is known only if the next was asked for after the one before was acknowledged.
 */
import { endOf, isHurt } from "./hurts.js";
import type { Life, Lives } from "./lives.js";
import type { RunBounds } from "./run-history.js";
import type { Accuse } from "./violation.js";

/** Judges every line. */
export function judgeLines(lives: Lives, bounds: RunBounds, accuse: Accuse): void {
  const lines = new Map<string, Life[]>();
  for (const life of lives.byId.values()) {
    const line = life.terms?.line;
    if (line !== undefined) lines.set(line, [...(lines.get(line) ?? []), life]);
  }
  for (const [line, members] of lines) {
    members.sort((a, b) => (a.terms?.place ?? 0) - (b.terms?.place ?? 0));
    for (const [i, next] of members.entries()) {
      const last = members[i - 1];
      const first = firstStart(next);
      if (last === undefined || first === null) continue;
      const late = last.effects.find(
        ({ start }) => start.token > first.token && !(start.generation > 0 && last.effects.length > 1),
      );
      if (late !== undefined) {
        accuse(
          "I25",
          next.id,
          `it began before ${last.id}, which stood before it in line ${line}, had done with`,
          last.id,
        );
        continue;
      }
      // One that had stood still may begin it once more, later: that is for the fence to judge (I16).
      const overlap = last.effects.find(
        (effect) => effect.start.atMs < first.atMs && endOf(effect, lives) > first.atMs,
      );
      if (overlap !== undefined && !isHurt(overlap, first.atMs, lives, bounds))
        accuse("I25", next.id, `it began while ${last.id} ran, which stands before it in line ${line}`, last.id);
    }
  }
}

function firstStart({ effects }: Life): { readonly token: number; readonly atMs: number } | null {
  const [first] = [...effects].sort((a, b) => a.start.token - b.start.token);
  return first?.start ?? null;
}

/**
 * What `millrace doctor` advises on what a module declares: a name for the App, a time limit and growing waits for each
 * Step, and time enough at a stop. Advice alone: all of it is allowed, and none of it fails.
 */
import type { Manifest } from "@millrace/core/server";

/** One piece of advice; `fix` absent: nothing to advise. */
export interface Advice {
  readonly check: string;
  readonly state: "ok" | "warn";
  readonly found: string;
  readonly fix?: string;
}

/** What drain and timeout are by default: what leaves both so says nothing of how long its Steps take. */
const DRAIN_DEFAULT_MS = 30_000;
const TIMEOUT_DEFAULT_MS = 300_000;

/** Looks at a module's declarations. `drainMs`: what the Foreman's settings give a stop; null if they leave it to the App. */
export function adviseOn({ app, steps }: Manifest, drainMs: number | null): Advice[] {
  const endless = steps.filter(({ timeoutMs }) => timeoutMs === Number.POSITIVE_INFINITY);
  const even = steps.filter(
    ({ retries, backoff }) =>
      retries > 1 &&
      backoff !== null &&
      (backoff.retryDelayMs === 0 ||
        backoff.backoff === "fixed" ||
        (backoff.backoff === "exponential" && backoff.factor === 1)),
  );
  const names = (of: typeof steps) => of.map(({ name }) => name).join(", ");
  return [
    app.id === "default"
      ? warn(
          "app id",
          "default",
          "Apps of one name on one store share their work: name yours with `id` or MILLRACE_APP_ID",
        )
      : { check: "app id", state: "ok", found: app.id },
    endless.length > 0
      ? warn(
          "timeouts",
          `no limit: ${names(endless)}`,
          "give each Step a `timeout`: what hangs keeps its slot for ever",
        )
      : { check: "timeouts", state: "ok", found: "every Step has one" },
    even.length > 0
      ? warn(
          "retries",
          `waits do not grow: ${names(even)}`,
          'use `backoff: "exponential"` and a `retryDelay`, so that what is down can recover',
        )
      : { check: "retries", state: "ok", found: "waits grow" },
    adviseOnStop({ app, steps }, drainMs),
  ];
}

/** What is measured to cost no more to claim from than an empty Segment (bench `lua`). */
const DEPTH_MAX = 1_000_000;

/** Of Segments in which more is ready than was ever measured. */
export function adviseOnDepth(segments: readonly { readonly name: string; readonly ready: number }[]): Advice {
  const all = segments.reduce((sum, { ready }) => sum + ready, 0);
  const deep = segments.filter(({ ready }) => ready > DEPTH_MAX).map(({ name, ready }) => `${name} (${count(ready)})`);
  if (deep.length === 0) return { check: "store depth", state: "ok", found: `${count(all)} ready` };
  const fix = "add Foremen or slots, or bound what may wait: `queueMax` refuses or holds back whoever enqueues";
  return warn("store depth", `more than ${count(DEPTH_MAX)} ready in ${deep.join(", ")}`, fix);
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Of Steps whose Attempts may take longer than a stop lets them: they are cut off, and begin anew elsewhere. */
function adviseOnStop({ app, steps }: Manifest, given: number | null): Advice {
  const { workers } = app.options;
  const own = typeof workers === "object" && workers !== null && "drain" in workers ? workers.drain : null;
  const drainMs = given ?? (typeof own === "number" ? own : DRAIN_DEFAULT_MS);
  const enoughMs = drainMs < DRAIN_DEFAULT_MS ? drainMs : Math.max(drainMs, TIMEOUT_DEFAULT_MS);
  const long = steps.filter(({ timeoutMs }) => timeoutMs > enoughMs);
  const found = `running work has ${drainMs / 1000} s to finish`;
  if (long.length === 0) return { check: "graceful stop", state: "ok", found };
  return warn(
    "graceful stop",
    `${found}; more may be needed by ${long.map(({ name }) => name).join(", ")}`,
    "lengthen `foreman.drain_ms` or `workers.drain`, or shorten the `timeout`s: what a stop cuts off begins anew",
  );
}

function warn(check: string, found: string, fix: string): Advice {
  return { check, state: "warn", found, fix };
}

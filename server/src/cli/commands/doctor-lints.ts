/**
 * What `millrace doctor` advises on what a module declares: a name for the App, a time limit and growing waits for each
 * Step. Advice alone: all of it is allowed, and none of it fails.
 */
import type { Manifest } from "@millrace/core/server";

/** One piece of advice; `fix` absent: nothing to advise. */
export interface Advice {
  readonly check: string;
  readonly state: "ok" | "warn";
  readonly found: string;
  readonly fix?: string;
}

/** Looks at a module's declarations. */
export function adviseOn({ app, steps }: Manifest): Advice[] {
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
  ];
}

function warn(check: string, found: string, fix: string): Advice {
  return { check, state: "warn", found, fix };
}

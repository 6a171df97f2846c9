/**
 * Tells systemd how a process is (elsewhere: sd_notify): ready, alive, stopping. Node opens no unix datagram sockets,
 * so systemd's own `systemd-notify` carries the words; without it, or without systemd, nothing is said.
 */
import { execFile } from "node:child_process";
import type { Logger } from "@millrace/core";

/** A way to the service manager. */
export interface Notifier {
  ready(status: string): void;
  stopping(): void;
  reloading(): void;
  /** The process lives; sent on only as often as systemd wants to hear it. */
  alive(): void;
}

const SILENT: Notifier = {
  ready: () => undefined,
  stopping: () => undefined,
  reloading: () => undefined,
  alive: () => undefined,
};
const TIMEOUT_MS = 5_000;

/** Makes a notifier for NOTIFY_SOCKET and WATCHDOG_USEC. `nowMs` is a monotonic clock. */
export function createNotifier(
  env: NodeJS.ProcessEnv,
  log: Logger,
  nowMs: () => number = () => performance.now(),
): Notifier {
  const socket = env.NOTIFY_SOCKET;
  if (socket === undefined || socket === "") return SILENT;
  const watchdogUs = Number(env.WATCHDOG_USEC ?? Number.NaN);
  // Half of what systemd waits for, as it advises; it cannot know that we send through a program of its own.
  const periodMs = Number.isFinite(watchdogUs) && watchdogUs > 0 ? watchdogUs / 2_000 : null;
  let isBroken = false;
  let aliveAtMs = Number.NEGATIVE_INFINITY;
  const send = (...words: readonly string[]): void => {
    if (isBroken) return;
    execFile("systemd-notify", [`--pid=${process.pid}`, ...words], { env, timeout: TIMEOUT_MS }, (error) => {
      if (error === null || isBroken) return;
      isBroken = true;
      log.debug({ error }, "systemd cannot be notified: use Type=exec, or install systemd-notify");
    });
  };
  return {
    ready: (status) => send("--ready", `--status=${status}`),
    stopping: () => send("STOPPING=1"),
    reloading: () => send("--status=settings read again"),
    alive: () => {
      if (periodMs === null || nowMs() - aliveAtMs < periodMs * 0.9) return;
      aliveAtMs = nowMs();
      send("WATCHDOG=1");
    },
  };
}

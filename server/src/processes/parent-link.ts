/**
 * What the supervisor and its Foreman tell each other over their IPC channel, and the Foreman's end of it.
 *
 *   up (Foreman → supervisor)                        down
 *   estate   who will hold what it claims, and where stop    stop gracefully; `isNow`: hand back at once
 *   ready    every Worker polls                      reload  read the settings again
 *   beat     the loop turns; every second
 */
import type { Estate } from "@millrace/core/server";

/** Foreman → supervisor. */
export type UpMessage =
  | { readonly type: "estate"; readonly estate: Estate }
  | { readonly type: "ready" }
  | { readonly type: "beat" };

/** Supervisor → Foreman. */
export type DownMessage =
  | { readonly type: "stop"; readonly signal: StopSignal; readonly isNow: boolean }
  | { readonly type: "reload" };

/** Signals that stop a Foreman. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** Period of beats. Milliseconds. */
export const PARENT_BEAT_MS = 1_000;

/** What a supervised Foreman does when it hears from above. */
export interface ParentListener {
  stop(signal: StopSignal, isNow: boolean): void;
  reload(): void;
  /** The supervisor is gone. */
  orphaned(): void;
}

/** The Foreman's end. */
export interface ParentLink {
  send(message: UpMessage): void;
  /** Ends the beats, so that nothing keeps the process. */
  close(): void;
}

/** Listens and beats, if there is a supervisor; else a link that leads nowhere. */
export function linkToParent(isSupervised: boolean, listener: ParentListener): ParentLink {
  if (!isSupervised || process.send === undefined) return { send: () => undefined, close: () => undefined };
  const tell = (message: UpMessage): void => {
    // A supervisor that is gone is told by the disconnect; the failed send says nothing new.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const hear = (message: unknown): void => {
    const down = message as DownMessage; // only our supervisor has the other end
    if (down.type === "stop") listener.stop(down.signal, down.isNow);
    else listener.reload();
  };
  const lost = (): void => listener.orphaned();
  process.on("message", hear);
  process.once("disconnect", lost);
  const beats = setInterval(() => tell({ type: "beat" }), PARENT_BEAT_MS);
  tell({ type: "beat" });
  return {
    send: tell,
    close: () => {
      clearInterval(beats);
      process.off("message", hear);
      process.off("disconnect", lost);
      if (process.connected) process.disconnect();
    },
  };
}

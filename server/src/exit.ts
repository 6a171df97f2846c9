/**
 * Exit codes of the command and its processes, and which error gives which. `docs/guides/deploy.md` says what a
 * process manager makes of them.
 */
import { isMillraceError } from "@millrace/core";

/** What a process ends with. */
export const EXIT = {
  ok: 0,
  /** The work or the request failed. */
  failed: 1,
  /** A flag, a setting or an input is wrong: trying again is no use. */
  usage: 2,
  notFound: 4,
  /** Something else has it: another process, another Node of this name. */
  conflict: 5,
  /** The store could not be reached, or something took too long. */
  unreachable: 6,
  /** A fault of Millrace. */
  internal: 70,
  interrupted: 130,
  /** SIGTERM came twice. */
  terminated: 143,
} as const;

const OF_CODE: Readonly<Record<string, number>> = {
  MR_CONFIG: EXIT.usage,
  MR_USAGE: EXIT.usage,
  MR_DURABILITY_UNAVAILABLE: EXIT.usage,
  MR_INVALID_INPUT: EXIT.usage,
  MR_INVALID_NAME: EXIT.usage,
  MR_INVALID_OPTION: EXIT.usage,
  MR_MODULE_REQUIRED: EXIT.usage,
  MR_NOT_SERIALISABLE: EXIT.usage,
  MR_STORE_URL: EXIT.usage,
  MR_TOO_LARGE: EXIT.usage,
  MR_NOT_FOUND: EXIT.notFound,
  MR_PRUNED: EXIT.notFound,
  MR_UNKNOWN_TARGET: EXIT.notFound,
  MR_FOREMAN_RUNNING: EXIT.conflict,
  MR_NODE_TAKEN: EXIT.conflict,
  MR_PORT_TAKEN: EXIT.conflict,
  MR_QUEUE_FULL: EXIT.conflict,
  MR_STORE_LOCKED: EXIT.conflict,
  MR_INDETERMINATE: EXIT.unreachable,
  MR_STORE_UNAVAILABLE: EXIT.unreachable,
  MR_TIMEOUT: EXIT.unreachable,
  MR_WAIT_TIMEOUT: EXIT.unreachable,
  MR_INVARIANT: EXIT.internal,
};

/** The exit code an error gives; what is none of ours is a fault. */
export function exitCodeOf(error: unknown): number {
  if (!isMillraceError(error)) return EXIT.internal;
  return OF_CODE[error.code] ?? EXIT.failed;
}

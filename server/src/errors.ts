/** The error table of server/: what its processes refuse by themselves. Core's own errors pass through unchanged. */
import { type ErrorRow, errorFactory } from "@millrace/core/server";

/** Code → message and whether trying again may help. */
export const serverErrorTable = {
  MR_CONFIG: { template: "{count} problem(s) in the configuration:\n{problems}", retryable: false },
  MR_FOREMAN_RUNNING: {
    template: "Node `{node}` of App `{app}` has a Foreman on this host already: process {pid}",
    retryable: true,
  },
  MR_PORT_TAKEN: { template: "{host}:{port} cannot be listened on: {reason}", retryable: true },
  MR_USAGE: { template: "{problem}", retryable: false },
} as const satisfies Record<string, ErrorRow>;

/** Makes an error of this table. */
export const createServerError = errorFactory(serverErrorTable);

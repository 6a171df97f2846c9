/**
 * What Node is given for an encrypted connection: the files a URL names, read anew for each connection so that renewed
 * certificates are taken without a restart, and which failures of it no further try mends.
 * Used by connection.ts.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { RedisTarget } from "./url.js";

/** Codes of Node about the other side's certificate. */
const DISTRUST: ReadonlySet<string> = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Options for a target, or null for a plain connection; `more` wins. Errors: those of reading a file. */
export function tlsOptions(target: RedisTarget, more: ConnectionOptions | null): ConnectionOptions | null {
  if (!target.isTls && more === null) return null;
  const { ca, cert, key, servername } = target.certificates;
  const name = servername ?? target.host;
  return {
    minVersion: "TLSv1.2",
    ...(ca === null ? {} : { ca: readFileSync(ca) }),
    ...(cert === null ? {} : { cert: readFileSync(cert) }),
    ...(key === null ? {} : { key: readFileSync(key) }),
    // An address is no name to ask for; Node compares it with the certificate all the same.
    ...(name === "" || isIP(name) !== 0 ? {} : { servername: name }),
    ...more,
  };
}

/** Whether an error says that the other side's certificate is not to be trusted. */
export function isDistrust(error: Error & { readonly code?: unknown }): boolean {
  return typeof error.code === "string" && DISTRUST.has(error.code);
}

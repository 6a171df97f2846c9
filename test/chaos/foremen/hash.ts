/** Digest of what is sent, by which the log tells that the same bytes arrived. */
import { createHash } from "node:crypto";

/** Digest of a text. */
export function hashOf(text: string): string {
  return createHash("sha1").update(text).digest("base64url");
}

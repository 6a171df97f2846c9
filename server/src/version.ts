/** This package's version, for `--version` and build_info. */
import { createRequire } from "node:module";

/** The version in package.json. */
export function serverVersion(): string {
  const manifest = createRequire(import.meta.url)("../package.json") as { version: string }; // our own
  return manifest.version;
}

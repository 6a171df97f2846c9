/**
 * What a module declares, read in a Worker thread: the main thread imports no code of users, which may block it, change
 * globals or end the process.
 */
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Manifest, scout } from "@millrace/core/server";
import { createServerError } from "../errors.js";

/** Which module, and which of its exports. */
export interface ModuleName {
  /** Path or file URL. */
  readonly module: string;
  /** Null: `app`, the default export, the only App exported, or the one whose `start()` the module calls. */
  readonly exportName: string | null;
}

/** The module as a file URL. Errors: MR_USAGE if there is no such file. */
export function moduleUrl(module: string): string {
  const url = module.startsWith("file:") ? module : pathToFileURL(module).href;
  const path = fileURLToPath(url);
  if (existsSync(path)) return url;
  throw createServerError("MR_USAGE", { problem: `there is no module ${path}` });
}

/** Reads a module's manifest. Errors: MR_USAGE · MR_MODULE_FAILED · MR_TIMEOUT. */
export async function readManifest({ module, exportName }: ModuleName): Promise<Manifest> {
  return await scout({ module: moduleUrl(module), exportName });
}

/** Where the house stands: every tool names files from here, whatever folder it is started in. */
import { resolve } from "node:path";

/** The folder of the workspace's package.json, without a slash at its end. */
export const root = resolve(import.meta.dirname, "../..");

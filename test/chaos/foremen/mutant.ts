/** Preload: breaks Millrace as mutant-hooks.ts is told, before anything of it is loaded. */
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

if (isMainThread) register("./mutant-hooks.js", import.meta.url);

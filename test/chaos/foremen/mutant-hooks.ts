/**
 * How modules are loaded by a program broken on purpose: the files that CHAOS_MUTANT names are changed on their way.
 */
import type { LoadHook } from "node:module";
import { type Mutation, mutantVariable } from "./settings.js";

const mutations = JSON.parse(process.env[mutantVariable] ?? "[]") as readonly Mutation[]; // written by mutants.ts

/** Loads a module; refuses one in which there is nothing to change. */
export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context);
  const meant = mutations.filter(({ file }) => url.endsWith(file));
  if (meant.length === 0) return loaded;
  let source = Buffer.from(loaded.source as Uint8Array).toString(); // modules are read as bytes
  for (const { file, from, to } of meant) {
    if (source.split(from).length !== 2) throw new Error(`${file} does not contain exactly once: ${from}`);
    source = source.replace(from, () => to);
  }
  return { ...loaded, source };
};

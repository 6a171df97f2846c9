/**
 * What the harness tells the processes under chaos: one environment variable, JSON, so that a program, its Worker
 * threads and a process started by a supervisor all read the same.
 */

import { join } from "node:path";

/** How a Foreman is run. */
export const FORMS = ["inline", "threads", "command", "supervised"] as const;

/**
 * `inline`: a program whose Steps run on its own thread. `threads`: the same with Worker threads. `command`:
 * `millrace foreman` without its supervisor. `supervised`: with it.
 */
export type Form = (typeof FORMS)[number];

/** What a process under chaos is told. */
export interface ChaosSettings {
  readonly form: Form;
  readonly store: string;
  readonly app: string;
  readonly node: string;
  /** Folder of the run: logs, and the files by which the harness gives signs. */
  readonly dir: string;
  readonly asyncWorkers: number;
  readonly slots: number;
  readonly leaseMs: number;
  readonly beatMs: number;
  /** The compiled file that is run inline or with threads, from this folder; by default program.js. */
  readonly program?: string;
}

/** The variable that carries the settings. */
export const settingsVariable = "CHAOS_SETTINGS";

/** Reads the settings of this process. */
export function readSettings(): ChaosSettings {
  const text = process.env[settingsVariable];
  if (text === undefined)
    throw new Error(`this program is started by the chaos harness, which sets ${settingsVariable}`);
  return JSON.parse(text) as ChaosSettings; // written by foreman-process.ts
}

/** Moments at which a process can be made to die: after a claim's answer, before, within and after a completion, after a beat. */
export const MOMENTS = ["claimed", "completing", "complete sent", "completed", "beaten"] as const;

/** A moment at which a process can be made to die. */
export type MomentName = (typeof MOMENTS)[number];

/** The file that arms a process. */
export function momentFile(dir: string, pid: number): string {
  return join(dir, `moment-${pid}`);
}

/** The file whose appearance lets the Steps called `hold` end. */
export function letGoFile(dir: string): string {
  return join(dir, "let-go");
}

/** The file that says how far the wall clock of a Node's processes is ahead. */
export function clockFile(dir: string, node: string): string {
  return join(dir, `clock-${node}`);
}

/** The variable that tells what is broken on purpose: a list of mutations, as JSON. */
export const mutantVariable = "CHAOS_MUTANT";

/** One change of a compiled file. */
export interface Mutation {
  /** End of the file's path. */
  readonly file: string;
  /** What stands there, exactly once. */
  readonly from: string;
  readonly to: string;
}

/**
 * The door for tests and the reference docs: settings, commands, processes. No promise of stability; users have the
 * `millrace` command.
 */

export { Cli, type World } from "./cli/cli.js";
export { makeProgram, run } from "./cli/main.js";
export {
  type ConfigRow,
  configKeys,
  envNamesOf,
  flagsOf,
  rowOf,
} from "./config/options.js";
export { serverErrorTable } from "./errors.js";
export { EXIT } from "./exit.js";
export { lockNode } from "./processes/node-lock.js";
export type { Notifier } from "./processes/notify.js";
export { backoffMs, PROGRAM, type SupervisorOptions, supervise } from "./processes/supervisor.js";

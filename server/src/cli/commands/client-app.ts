/**
 * The App of a command that looks into Queues or acts on them: it declares no Steps and is never started.
 */
import { App } from "@millrace/core";
import type { Command } from "commander";
import { nodeIdOf } from "../../config/load.js";
import type { Cli } from "../cli.js";

/** Adds the settings such a command takes. */
export function addClientSettings(command: Command, cli: Cli): void {
  cli.addSettings(command, ["app_id", "node_id", "store.url", "store.timeout_ms"]);
}

/** Opens an App by the command's settings, hands it out, closes it. Errors: MR_CONFIG, and what `use` throws. */
export async function withClient<T>(command: Command, cli: Cli, use: (app: App) => Promise<T>): Promise<T> {
  const config = await cli.load(command);
  const { values } = config;
  const app = new App({
    id: values.app_id,
    store: values["store.url"],
    nodeId: nodeIdOf(config),
    network: { timeout: values["store.timeout_ms"] },
  });
  try {
    return await use(app);
  } finally {
    await app.close();
  }
}

/** A flag's text as a whole number, or undefined; what is no number is refused by the option it is for. */
export function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** A command's own flags, as far as they were given: beside them it has those of settings. */
export function flagsOf<Flags extends object>(command: Command, names: readonly (keyof Flags & string)[]): Flags {
  const all = command.opts<Flags>();
  const given = names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]] as const]));
  return Object.fromEntries(given) as Flags; // what is left out was not given
}

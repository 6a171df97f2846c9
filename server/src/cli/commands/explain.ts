/**
 * `millrace explain ID`: why an Operation is where it is.
 */
import type { Command } from "commander";
import { EXIT } from "../../exit.js";
import type { Cli } from "../cli.js";
import { plain } from "../output.js";
import { addClientSettings, withClient } from "./client-app.js";

/** Adds the command. */
export function addExplain(program: Command, cli: Cli): void {
  const command = program
    .command("explain")
    .description("say why an Operation waits, runs or ended")
    .argument("<id>", "its id")
    .addHelpText(
      "after",
      `
Exit code 4 for an id that was never enqueued, 6 when the store is away.

Examples:
  $ millrace explain web-1.m3k9.1601 --store redis://localhost`,
    )
    .action(async (id: string) => {
      const found = await withClient(command, cli, (app) => app.inspect.explain(id));
      const lines = found.reasons.map(({ code, text }) => `  ${code}: ${plain(text)}`);
      const head = `${found.id} is ${found.state ?? "out of reach"}${found.isRunnable ? ", and its turn will come" : ""}`;
      cli.output.result(found, [head, ...lines].join("\n"));
      cli.exitCode = found.state === null ? EXIT.unreachable : found.state === "unknown" ? EXIT.notFound : EXIT.ok;
    });
  addClientSettings(command, cli);
}

/**
 * `millrace fsck [--repair]`: checks an App's Segments while they are in use, and mends what contradicts itself.
 */
import type { FsckOptions, FsckReport } from "@millrace/core";
import type { Command } from "commander";
import { EXIT } from "../../exit.js";
import type { Cli } from "../cli.js";
import { plain, table } from "../output.js";
import { addClientSettings, flagsOf, withClient } from "./client-app.js";

/** Adds the command. */
export function addFsck(program: Command, cli: Cli): void {
  const command = program
    .command("fsck")
    .description("check that every Operation is in one place and every counter right, while all runs on")
    .option("--repair", "mend what is found, in the call that finds it")
    .option("--segment <name>", "only this Segment")
    .addHelpText(
      "after",
      `
Exit code 0 when nothing was found or all of it was mended, 1 when something is wrong.

Examples:
  $ millrace fsck --store redis://localhost
  $ millrace fsck --repair --json`,
    )
    .action(async () => {
      const options = flagsOf<Pick<FsckOptions, "repair" | "segment">>(command, ["repair", "segment"]);
      const report = await withClient(command, cli, (app) => app.inspect.fsck(options).done());
      cli.output.result(report, textOf(report));
      cli.exitCode = report.found > report.mended ? EXIT.failed : EXIT.ok;
    });
  addClientSettings(command, cli);
}

function textOf({ looked, found, mended, findings }: FsckReport): string {
  const end = `${found === 0 ? "nothing wrong" : `${found} found, ${mended} mended`}; ${looked} looked at`;
  if (findings.length === 0) return end;
  const rows = findings.map(({ kind, segment, id, about, meaning }) => [
    kind,
    segment,
    plain(id ?? about),
    plain(meaning),
  ]);
  return [table([["KIND", "SEGMENT", "WHERE", "MEANING"], ...rows]), "", end].join("\n");
}

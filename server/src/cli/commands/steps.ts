/**
 * `millrace steps`: which Steps there are, which Nodes run them, how much of each is where.
 */
import type { App } from "@millrace/core";
import type { Command } from "commander";
import type { Cli } from "../cli.js";
import { plain, table } from "../output.js";
import { addClientSettings, flagsOf, numberOf, withClient } from "./client-app.js";

type Options = NonNullable<Parameters<App["inspect"]["steps"]>[0]>;

interface StepsFlags {
  readonly name?: string;
  readonly node?: string;
  readonly state?: NonNullable<Options["state"]>;
  readonly limit?: string;
  readonly cursor?: string;
  readonly budget: string;
}

/** Adds the command. */
export function addSteps(program: Command, cli: Cli): void {
  const command = program
    .command("steps")
    .description("list Steps: the Nodes that run each, and how many of its Operations are where")
    .option("--name <step>", "only this Step")
    .option("--node <node>", "only Steps that a process of this Node runs")
    .option("--state <state>", "only Steps with something scheduled, ready, blocked, running or failed")
    .option("--limit <n>", "most of a page (default: 100, at most 1000)")
    .option("--cursor <cursor>", "go on after the page before")
    .option("--budget <duration>", "how long to count before answering in part", "5s")
    .addHelpText(
      "after",
      `
Known are the Steps that running Foremen tell of, and those with Operations or with limits in use.

Examples:
  $ millrace steps --store redis://localhost
  $ millrace steps --state failed --json`,
    )
    .action(async () => {
      const names = ["name", "node", "state", "limit", "cursor", "budget"] as const;
      const { limit, ...flags } = flagsOf<StepsFlags>(command, names);
      const number = numberOf(limit);
      const options = { ...flags, ...(number === undefined ? {} : { limit: number }) } as Options; // core checks the budget
      const answer = await withClient(command, cli, (app) => app.inspect.steps(options));
      const rows = answer.steps.map(({ name, nodes, counts, limits, isTied }) => [
        plain(name),
        nodes.length === 0 ? "-" : nodes.map(plain).join(","),
        ...(["scheduled", "ready", "blocked", "running", "failed"] as const).map((state) =>
          String(counts?.[state] ?? "-"),
        ),
        limits.length > 0 ? String(limits.length) : isTied === true ? "tied" : "-",
      ]);
      const head = ["STEP", "NODES", "SCHEDULED", "READY", "BLOCKED", "RUNNING", "FAILED", "LIMITS"];
      cli.output.result(answer, rows.length === 0 ? "no Step is known" : table([head, ...rows]));
      if (answer.cursor !== null) cli.output.note(`more: --cursor ${answer.cursor}`);
      if (answer.partial) cli.output.note("counted in part: give it more time with --budget, or ask for one Step");
    });
  addClientSettings(command, cli);
}

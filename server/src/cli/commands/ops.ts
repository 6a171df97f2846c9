/**
 * `millrace ops list|search|cancel|requeue|delete`: what is in the Queues, and acting on all that fits a filter.
 */
import type { App, BulkRun, BulkSummary, OperationPage, OperationView } from "@millrace/core";
import type { Command } from "commander";
import { EXIT } from "../../exit.js";
import type { Cli } from "../cli.js";
import { plain, table } from "../output.js";
import { addClientSettings, flagsOf, numberOf, withClient } from "./client-app.js";

interface PageFlags {
  readonly limit?: string;
  readonly cursor?: string;
}

interface ListFlags extends PageFlags {
  readonly state: NonNullable<Parameters<App["inspect"]["list"]>[0]["state"]>;
  readonly queue?: string;
  readonly step?: string;
}

/** Flags of commands that act on a filter. */
export interface BulkFlags {
  readonly dryRun?: boolean;
  readonly rate?: string;
  readonly force?: boolean;
  readonly reason?: string;
}

/** Adds the commands. */
export function addOps(program: Command, cli: Cli): void {
  const ops = program
    .command("ops")
    .description("list, search, cancel, requeue and delete Operations")
    .addHelpText(
      "after",
      `
Examples:
  $ millrace ops list --state failed --store redis://localhost
  $ millrace ops search 'state:ready queue:mail created:<1h'
  $ millrace ops cancel 'queue:mail' --dry-run
  $ millrace ops requeue 'code:ETIMEDOUT' --rate 100`,
    );
  addList(ops, cli);
  addSearch(ops, cli);
  addBulk(ops, cli, "cancel", "cancel what waits and fits a filter; what runs is asked to end");
  addBulk(ops, cli, "requeue", "give dead letters that fit a filter a new generation; poison only with --force");
  addBulk(ops, cli, "delete", "delete what is over and fits a filter; what waits or runs is never deleted");
}

function addList(ops: Command, cli: Cli): void {
  const command = ops
    .command("list")
    .description("list what is in one state, page by page")
    .requiredOption("--state <state>", "ready, scheduled, running, failed, completed, cancelled or skipped")
    .option("--queue <name>", "only this Queue")
    .option("--step <name>", "only this Step")
    .option("--limit <n>", "most of a page (default: 100, at most 1000)")
    .option("--cursor <cursor>", "go on after the page before")
    .action(async () => {
      const { limit, ...flags } = flagsOf<ListFlags>(command, ["state", "queue", "step", "limit", "cursor"]);
      const options = { ...flags, ...(limit === undefined ? {} : { limit: numberOf(limit) ?? 0 }) };
      showPage(cli, await withClient(command, cli, (app) => app.inspect.list(options)));
    });
  addClientSettings(command, cli);
}

function addSearch(ops: Command, cli: Cli): void {
  const command = ops
    .command("search")
    .description("find Operations by a filter")
    .argument("<filter>", "such as 'state:failed step:charge err:~\"timed out\" created:>1h'")
    .option("--limit <n>", "most of a page (default: 100, at most 1000)")
    .option("--cursor <cursor>", "go on after the page before")
    .option("--budget <duration>", "how long to look before answering in part (default: 150ms)")
    .action(async (filter: string) => {
      const { limit, ...flags } = flagsOf<PageFlags & { readonly budget?: never }>(command, [
        "limit",
        "cursor",
        "budget",
      ]);
      const options = { ...flags, ...(limit === undefined ? {} : { limit: numberOf(limit) ?? 0 }) };
      showPage(cli, await withClient(command, cli, (app) => app.inspect.search(filter, options)));
    });
  addClientSettings(command, cli);
}

function addBulk(ops: Command, cli: Cli, action: "cancel" | "requeue" | "delete", sentence: string): void {
  const command = ops
    .command(action)
    .description(sentence)
    .argument("<filter>", "what to act on; an empty text is everything")
    .option("--dry-run", "count what fits and touch nothing")
    .option("--rate <n>", "most Operations a second");
  if (action === "cancel") command.option("--reason <text>", "what the cancelled ones say");
  if (action === "requeue") command.option("--force", "poison, too");
  command.action(async (filter: string) => {
    const options = bulkOptionsOf(command);
    await withClient(command, cli, (app) => runBulk(cli, app.inspect[action](filter, options)));
  });
  addClientSettings(command, cli);
}

/** Flags as options; what is wrong in them is refused by the call. */
export function bulkOptionsOf(command: Command): Omit<BulkFlags, "rate"> & { readonly rate?: number } {
  const { rate, ...flags } = flagsOf<BulkFlags>(command, ["dryRun", "rate", "force", "reason"]);
  return rate === undefined ? flags : { ...flags, rate: numberOf(rate) ?? 0 };
}

/** Runs to the end, telling people how far it is. */
export async function runBulk(cli: Cli, run: BulkRun): Promise<void> {
  for await (const { looked, matched, done } of run) {
    cli.output.note(`looked at ${looked}, ${matched} fit, ${done} done`);
  }
  const { summary } = run;
  cli.output.result(summary, textOf(summary));
  cli.exitCode = EXIT.ok;
}

function textOf({ action, isDryRun, matched, done, requested, skipped }: BulkSummary): string {
  if (isDryRun) return `${matched} fit; nothing was touched (${action}, dry run)`;
  const rest = [requested > 0 ? `${requested} asked to end` : "", skipped > 0 ? `${skipped} left alone` : ""];
  return [`${action}: ${done} of ${matched}`, ...rest.filter((part) => part !== "")].join(", ");
}

function showPage({ output }: Cli, page: OperationPage): void {
  const rows = page.operations.map((one) => [
    output.paint(COLOURS[one.state] ?? "dim", one.state),
    one.id,
    one.step ?? "-",
    one.queue ?? "-",
    String(one.attempt),
    timeOf(one),
    one.error === null ? "" : plain(`${one.error.code ?? one.error.name}: ${one.error.message.split("\n", 1)[0]}`),
  ]);
  const head = ["STATE", "ID", "STEP", "QUEUE", "ATTEMPT", "TIME", "ERROR"];
  output.result(page, rows.length === 0 ? "nothing found" : table([head, ...rows]));
  if (page.partial) output.note("not all was looked at: go on with --cursor, or give it more time with --budget");
  if (page.cursor !== null) output.note(`more: --cursor ${page.cursor}`);
}

const COLOURS: Readonly<Partial<Record<OperationView["state"], "red" | "green" | "yellow" | "cyan" | "dim">>> = {
  failed: "red",
  completed: "green",
  running: "cyan",
  scheduled: "yellow",
};

/** The moment that says most of its state. */
function timeOf(one: OperationView): string {
  return (one.finishedAt ?? one.dueAt ?? one.startedAt ?? one.enqueuedAt)?.toISOString() ?? "-";
}

/**
 * `millrace limits [list|set|reset]`: the limits of Steps, what is in use, and their numbers changed while all runs.
 */
import type { LimitFilter, LimitView, LiveLimit } from "@millrace/core";
import type { Command } from "commander";
import { createServerError } from "../../errors.js";
import type { Cli } from "../cli.js";
import { plain, table } from "../output.js";
import { addClientSettings, flagsOf, numberOf, withClient } from "./client-app.js";

interface SetFlags {
  readonly concurrency?: string;
  readonly rate?: string;
  readonly burst?: string;
  readonly position?: string;
  readonly key?: string;
}

interface ResetFlags {
  readonly kind?: NonNullable<LimitFilter["kind"]>;
  readonly position?: string;
  readonly key?: string;
}

/** Adds the commands. */
export function addLimits(program: Command, cli: Cli): void {
  const limits = program
    .command("limits")
    .description("limits of Steps: what is in use, and their numbers changed at once, everywhere")
    .addHelpText(
      "after",
      `
A number that was set goes before what the program says, for what waits and what comes, until it is taken back.

Examples:
  $ millrace limits --store redis://localhost
  $ millrace limits set fetch --concurrency 5
  $ millrace limits set fetch --concurrency 0 --position 1 --key slow.example
  $ millrace limits set mail --rate 100/1m
  $ millrace limits reset fetch`,
    );
  addList(limits, cli);
  addSet(limits, cli);
  addReset(limits, cli);
}

function addList(limits: Command, cli: Cli): void {
  const command = limits
    .command("list", { isDefault: true })
    .description("what is set and what is in use; of a limit with keys first its sum")
    .argument("[step]", "only this Step")
    .action(async (step: string | undefined) => {
      const answer = await withClient(command, cli, (app) => app.limits.list(step));
      const rows = answer.limits.map((view) => [
        plain(view.step),
        view.kind,
        String(view.position),
        view.key === null ? "-" : plain(view.key),
        numberText(view),
        view.live === null ? "-" : (view.since?.toISOString() ?? "-"),
        String(view.used),
        String(view.parked),
      ]);
      const head = ["STEP", "KIND", "POSITION", "KEY", "LIMIT", "SET AT", "RUNNING", "WAITING"];
      cli.output.result(answer, rows.length === 0 ? "no limit is set or in use" : table([head, ...rows]));
      if (answer.partial) cli.output.note("more is in use than was looked at: name a Step");
    });
  addClientSettings(command, cli);
}

function addSet(limits: Command, cli: Cli): void {
  const command = limits
    .command("set")
    .description("set a limit's number, for all keys or one, until it is taken back")
    .argument("<step>", "the Step")
    .option("--concurrency <n>", "so many run at once; 0: none begins")
    .option("--rate <n/time>", "so many begin in a time, such as 100/1m; `any`: as many as come")
    .option("--burst <n>", "with --rate: so many at once after a pause (default: 1)")
    .option("--position <n>", "which, counted from 0, where the Step has several of the kind")
    .option("--key <key>", "of this key alone")
    .action(async (step: string) => {
      const flags = flagsOf<SetFlags>(command, ["concurrency", "rate", "burst", "position", "key"]);
      const limit = limitOf(flags);
      await withClient(command, cli, (app) => app.limits.set(step, limit));
      cli.output.result({ step, ...limit }, `set; \`millrace limits reset ${plain(step)}\` takes it back`);
    });
  addClientSettings(command, cli);
}

function addReset(limits: Command, cli: Cli): void {
  const command = limits
    .command("reset")
    .description("take numbers back that were set: what the program says counts again")
    .argument("<step>", "the Step")
    .option("--kind <kind>", "only concurrency, or only rate")
    .option("--position <n>", "only of this one, counted from 0")
    .option("--key <key>", "only of this key")
    .action(async (step: string) => {
      const { position, ...flags } = flagsOf<ResetFlags>(command, ["kind", "position", "key"]);
      const filter: LimitFilter = { ...flags, ...whole("position", position) };
      const count = await withClient(command, cli, (app) => app.limits.reset(step, filter));
      cli.output.result({ step, reset: count }, count === 0 ? "nothing was set" : `taken back: ${count}`);
    });
  addClientSettings(command, cli);
}

/** The numbers of flags; what is wrong in them is refused by the call, as far as it can be handed over. */
function limitOf({ concurrency, rate, burst, position, key }: SetFlags): LiveLimit {
  const chosen = {
    ...whole("concurrency", concurrency),
    ...whole("position", position),
    ...(key === undefined ? {} : { key }),
  };
  if (burst !== undefined && rate === undefined) {
    throw createServerError("MR_USAGE", { problem: "--burst goes with --rate" });
  }
  if (rate === undefined) return chosen;
  if (rate === "any") return { ...chosen, rate: null };
  const [limit, per, more] = rate.split("/");
  if (limit === undefined || per === undefined || more !== undefined) {
    const problem = `--rate: expected a number and a time such as 100/1m, or any; got ${JSON.stringify(rate)}`;
    throw createServerError("MR_USAGE", { problem });
  }
  return { ...chosen, rate: { limit: Number(limit), per, ...whole("burst", burst) } };
}

function whole<Name extends string>(name: Name, text: string | undefined): { readonly [key in Name]?: number } {
  const number = numberOf(text);
  return (number === undefined ? {} : { [name]: number }) as { readonly [key in Name]?: number }; // one of this name
}

function numberText({ limit, everyMs, burst }: LimitView): string {
  if (limit !== null) return String(limit);
  if (everyMs === null) return "-";
  if (everyMs === 0) return "any";
  const each = `one every ${Math.round(everyMs * 100) / 100} ms`;
  return burst === null || burst === 1 ? each : `${each}, ${burst} at once`;
}

/**
 * `millrace dlq [list|redrive|discard]`: dead letters by cause, and what becomes of them.
 */
import type { Command } from "commander";
import type { Cli } from "../cli.js";
import { plain, table } from "../output.js";
import { addClientSettings, withClient } from "./client-app.js";
import { bulkOptionsOf, runBulk } from "./ops.js";

/** Adds the commands. */
export function addDlq(program: Command, cli: Cli): void {
  const dlq = program.command("dlq").description("dead letters: grouped by cause, redriven, discarded");
  const list = dlq
    .command("list", { isDefault: true })
    .description("groups of dead letters by fingerprint, largest first")
    .argument("[filter]", "only those that fit", "")
    .option("--budget <duration>", "how long to look before answering in part", "5s")
    .action(async (filter: string) => {
      const { budget } = list.opts<{ readonly budget: never }>(); // a duration or not: core says which
      const answer = await withClient(list, cli, (app) => app.inspect.deadGroups(filter, { budget, limit: 1000 }));
      const rows = answer.groups.map(({ count, fingerprint, code, name, steps, lastAt, sampleId, message }) => [
        String(count),
        fingerprint,
        code ?? name,
        steps.join(","),
        lastAt?.toISOString() ?? "-",
        sampleId,
        plain(message.split("\n", 1)[0] ?? ""),
      ]);
      const head = ["COUNT", "FINGERPRINT", "CODE", "STEPS", "LAST", "SAMPLE", "MESSAGE"];
      cli.output.result(answer, rows.length === 0 ? "no dead letters" : table([head, ...rows]));
      if (answer.partial) cli.output.note("not all were looked at: give it more time with --budget");
    });
  addClientSettings(list, cli);
  const redrive = act(dlq, "redrive", "give those that fit a new generation; poison only with --force").option(
    "--force",
    "poison, too",
  );
  redrive.action(async (filter: string) => {
    const options = bulkOptionsOf(redrive);
    await withClient(redrive, cli, (app) => runBulk(cli, app.inspect.requeue(filter, options)));
  });
  addClientSettings(redrive, cli);
  const discard = act(dlq, "discard", "delete those that fit");
  discard.action(async (filter: string) => {
    const options = bulkOptionsOf(discard);
    await withClient(discard, cli, (app) => runBulk(cli, app.inspect.delete(`state:failed ${filter}`, options)));
  });
  addClientSettings(discard, cli);
}

function act(dlq: Command, name: string, sentence: string): Command {
  return dlq
    .command(name)
    .description(sentence)
    .argument("<filter>", "which; an empty text is all of them")
    .option("--dry-run", "count what fits and touch nothing")
    .option("--rate <n>", "most Operations a second");
}

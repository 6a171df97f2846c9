/**
 * `millrace config`: every setting, its value, where that came from, and whether a running Foreman takes a new one.
 */
import { describeRow, nearest } from "@millrace/core/server";
import type { Command } from "commander";
import { type Config, type Setting, shownValue } from "../../config/load.js";
import { asKey, type ConfigKey, configKeys, envNamesOf, flagsOf, rowOf } from "../../config/options.js";
import { createServerError } from "../../errors.js";
import { EXIT } from "../../exit.js";
import type { Cli } from "../cli.js";
import { table } from "../output.js";

interface ConfigFlags {
  readonly check?: boolean;
  readonly explain?: string;
}

/** Adds the command. */
export function addConfig(program: Command, cli: Cli): void {
  const command = program
    .command("config")
    .description("print every setting with its value and where it came from")
    .option("--check", "only say whether the settings are right")
    .option("--explain <key>", "say all about one setting")
    .addHelpText(
      "after",
      `
A flag wins over the environment, that over the file, that over the default. Where nobody gives a setting, an App's
own option stands. SIGHUP brings settings with "reload yes" into a running Foreman.

Examples:
  $ millrace config
  $ millrace config --check --config /etc/millrace.yaml
  $ millrace config --explain workers.slots`,
    )
    .action(async () => {
      const { check, explain } = command.opts<ConfigFlags>();
      const key = explain === undefined ? null : keyOf(explain);
      const config = await cli.load(command);
      if (check === true) {
        cli.output.result({ ok: true, file: config.file }, `the settings are right (file: ${config.file ?? "none"})`);
      } else if (key !== null) explainOne(cli, config, key);
      else showAll(cli, config);
      cli.exitCode = EXIT.ok;
    });
  cli.addSettings(command, configKeys);
}

function keyOf(text: string): ConfigKey {
  const key = asKey(text);
  if (key !== null) return key;
  const guess = nearest(text, configKeys);
  const hint = guess === null ? "`millrace config` lists them" : `did you mean \`${guess}\`?`;
  throw createServerError("MR_USAGE", { problem: `no setting is called \`${text}\`: ${hint}` });
}

function showAll({ output }: Cli, config: Config): void {
  const settings = [...config.settings.values()];
  const data = settings.map((setting) => ({
    key: setting.key,
    value: jsonValueOf(setting),
    source: setting.origin.text,
    reload: rowOf(setting.key).reload,
  }));
  const rows = settings.map((setting) => [
    setting.key,
    shownValue(setting) || output.paint("dim", `(${rowOf(setting.key).otherwise ?? "none"})`),
    setting.origin.kind === "default" ? output.paint("dim", setting.origin.text) : setting.origin.text,
    rowOf(setting.key).reload ? "yes" : "no",
  ]);
  output.result(data, table([["key", "value", "source", "reload"], ...rows]));
}

function explainOne({ output }: Cli, config: Config, key: ConfigKey): void {
  const row = rowOf(key);
  const setting = config.settings.get(key);
  if (setting === undefined) return;
  const [, ...weaker] = setting.given;
  const data = {
    key,
    meaning: row.sentence,
    allowed: describeRow(row),
    default: row.default ?? null,
    otherwise: row.otherwise ?? null,
    env: envNamesOf(key),
    flags: flagsOf(key).map((flag) => `--${flag}`),
    reload: row.reload,
    replaces: row.app ?? null,
    value: jsonValueOf(setting),
    source: setting.origin.text,
    overrides: weaker.map((given) => ({ value: jsonValueOf({ ...setting, ...given }), source: given.origin.text })),
  };
  const lines = [
    [output.paint("bold", key), data.meaning],
    ["allowed", data.allowed],
    ["default", row.default === undefined ? (row.otherwise ?? "none") : String(row.default)],
    ["environment", data.env.join(", ")],
    ["flags", data.flags.join(", ")],
    ["reload", row.reload ? "yes: SIGHUP brings it into a running Foreman" : "no: needs a restart"],
    ...(row.app === undefined ? [] : [["App option", `${row.app}: stands where nobody gives this setting`]]),
    ["value", shownValue(setting) || `(${row.otherwise ?? "none"})`],
    ["source", data.source],
    ...weaker.map((given) => ["overrides", `${shownValue({ ...setting, ...given })} (${given.origin.text})`]),
  ];
  output.result(data, table(lines));
}

/** A value for JSON: as it is, unless it holds a secret. */
function jsonValueOf(setting: Setting): unknown {
  if (setting.value === undefined) return null;
  return rowOf(setting.key).secret === undefined ? setting.value : shownValue(setting);
}

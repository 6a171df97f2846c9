/**
 * What every command shares: the world it runs in, its output, its settings. Flags of settings come from the table of
 * settings, so that each command takes exactly those it names.
 */
import { describeRow } from "@millrace/core/server";
import { type Command, Option } from "commander";
import { type Config, type LoadOptions, loadConfig } from "../config/load.js";
import { asKey, type ConfigKey, envNamesOf, flagNameOf, flagsOf, rowOf } from "../config/options.js";
import { createServerError } from "../errors.js";
import { Output } from "./output.js";

/** What a command takes from around it. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** The words after `millrace`. */
  readonly argv: readonly string[];
}

/** Flags that every command takes. */
interface GlobalFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
}

/** Says what a command does with it: its exit code. */
export type Action = (this: Command) => Promise<number>;

/** One run of the command line. */
export class Cli {
  readonly world: World;
  /** What the command that ran ends with. */
  exitCode = 0;
  #output: Output;

  constructor(world: World) {
    this.world = world;
    // Before the flags are read, what fails is told as they will probably say.
    const isJson = world.argv.includes("--json");
    this.#output = this.#makeOutput({ json: isJson, color: !world.argv.includes("--no-color") });
  }

  /** Where this run writes to. */
  get output(): Output {
    return this.#output;
  }

  /** Adds the flags of every command. */
  addGlobalFlags(program: Command): void {
    program
      .option("--config <file>", "file of settings (default: millrace.config.{yaml,json,mjs} in this folder)")
      .option("--json", "results as JSON, errors too")
      .option("--no-color", "no colours, not even on a terminal")
      .option("--quiet", "nothing but results and errors");
  }

  /** Takes the flags of every command from the one that runs. */
  begin(command: Command): void {
    this.#output = this.#makeOutput(command.optsWithGlobals<GlobalFlags>());
  }

  /** Adds a flag for each of these settings: the short one is shown, the one made from the key is understood. */
  addSettings(command: Command, keys: readonly ConfigKey[]): void {
    for (const key of keys) {
      const row = rowOf(key);
      const long = flagNameOf(key);
      const text = `${row.sentence} ${shownDefault(key)}`.trim();
      const word = row.type === "boolean" ? "yes|no" : (row.type === "integer" && row.unit) || wordOf(key, row.type);
      for (const [at, name] of flagsOf(key).entries()) {
        const form = name === row.offFlag ? `--${name}` : `--${name} <${word}>`;
        const option = new Option(form, name === row.offFlag ? `Turn off: ${text}` : text).helpGroup("Settings:");
        // A long flag without a short one is for those who know the key, unless no other setting says so much.
        const isShown = at === 0 && (name !== long || !RARE.test(key));
        command.addOption(isShown ? option : option.hideHelp());
      }
    }
    settingsOf.set(command, keys);
  }

  /** Loads the settings for a command. Errors: MR_CONFIG. */
  async load(command: Command): Promise<Config> {
    const config = await loadConfig(this.loadOptions(command));
    this.#output.hide(config.mask);
    return config;
  }

  /** From where a command's settings are loaded; also again, when they change. */
  loadOptions(command: Command): LoadOptions {
    const flags = (settingsOf.get(command) ?? []).flatMap((key) => {
      return flagsOf(key).flatMap((name) => {
        const isOff = name === rowOf(key).offFlag;
        const attribute = camel(isOff ? name.replace(/^no-/, "") : name);
        // Commander gives a flag that says no the value true until somebody writes it.
        if (command.getOptionValueSource(attribute) !== "cli") return [];
        return [{ key, flag: `--${name}`, value: command.getOptionValue(attribute) as unknown }];
      });
    });
    const pin: unknown = command.getOptionValue("pin");
    if (typeof pin === "string") flags.push(...pinsIn(pin));
    const { env, cwd } = this.world;
    return { env, cwd, flags, file: command.optsWithGlobals<GlobalFlags>().config };
  }

  #makeOutput(flags: Partial<GlobalFlags>): Output {
    const { stdout, stderr, env } = this.world;
    const forbids = env.NO_COLOR !== undefined && env.NO_COLOR !== "";
    return new Output({
      stdout,
      stderr,
      isJson: flags.json === true,
      isQuiet: flags.quiet === true,
      isColourAllowed: flags.color !== false && !forbids,
    });
  }
}

/** Which settings a command takes. */
const settingsOf = new WeakMap<Command, readonly ConfigKey[]>();

/** Reads `blocking=2,async=4`. Errors: MR_USAGE. */
function pinsIn(text: string): { key: ConfigKey; flag: string; value: unknown }[] {
  return text.split(",").map((part) => {
    const [name = "", value] = part.trim().split("=");
    const key = asKey(`force.${name}`);
    if (key !== null && value !== undefined) return { key, flag: "--pin", value };
    const problem = `--pin: expected parts of the mix such as blocking=2,async=4,slots=8, got ${JSON.stringify(text)}`;
    throw createServerError("MR_USAGE", { problem });
  });
}

/** Settings whose flags help leaves out, unless they have a short one. */
const RARE = /^(force|foreman|workers)\./;

/** What stands for a flag's value in help. */
function wordOf(key: ConfigKey, type: string): string {
  return type === "integer" ? "n" : (key.split(/[._]/).at(-1) ?? key);
}

/** What stands behind a setting's sentence in help. */
function shownDefault(key: ConfigKey): string {
  const row = rowOf(key);
  const known = row.default === undefined ? row.otherwise : String(row.default);
  const choices = row.type === "string" && row.choices !== undefined ? `${describeRow(row)}; ` : "";
  return `(${choices}default: ${known ?? "none"}; env ${envNamesOf(key).join(", ")})`;
}

/** `store-url` → `storeUrl`, as commander names it. */
function camel(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * `millrace enqueue NAME [JSON|-]`: puts work into a Queue from the outside. It runs none and needs no code of the
 * App: a Step is a name here. With --module, what the module declares is known as well: the Step's Queue and options.
 */

import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { App, type AppOptions, type EnqueueOptions } from "@millrace/core";
import { type Command, Option } from "commander";
import { type Config, nodeIdOf } from "../../config/load.js";
import { createServerError } from "../../errors.js";
import { EXIT } from "../../exit.js";
import { readManifest } from "../../processes/manifest.js";
import type { Cli } from "../cli.js";
import { toJson } from "../output.js";

interface EnqueueFlags {
  readonly delay?: string;
  readonly at?: string;
  readonly priority?: string;
  readonly queue?: string;
  readonly tag?: readonly string[];
  readonly retries?: string;
  readonly attemptTimeout?: string;
  readonly idempotencyKey?: string;
  readonly expires?: string;
  readonly deadline?: string;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly many?: string;
  readonly module?: string;
  readonly export?: string;
  readonly untied?: boolean;
}

/** Lines of a file that are sent together. */
const LINES_MAX = 5_000;

/** Adds the command. */
export function addEnqueue(program: Command, cli: Cli): void {
  const command = program
    .command("enqueue")
    .description("enqueue an Operation of a Step, by name")
    .argument("<name>", "the Step")
    .argument("[input]", "its input as JSON; `-` reads it from standard input; left out: null")
    .option("--delay <duration>", "not before this time from now, such as 5m")
    .option("--at <time>", "not before this moment, as ISO 8601")
    .option("--priority <n>", "−1000…1000, larger sooner")
    .option("--queue <name>", "the Queue to wait in (default: the Step's with --module, else `async`)")
    .addOption(
      new Option("--tag <key=value>", "a label; may be repeated").argParser<string[]>((tag, tags) => [
        ...(tags ?? []),
        tag,
      ]),
    )
    .option("--retries <n>", "extra Attempts, instead of the Step's")
    .option("--attempt-timeout <duration>", "limit of each Attempt, instead of the Step's")
    .option("--idempotency-key <key>", "the same key, Step and input within 24 hours give the Operation that is there")
    .option("--expires <duration>", "fails unless it is claimed within this time, such as 30s")
    .option("--deadline <duration>", "fails unless it has ended within this time, such as 10m")
    .option("--wait", "wait for the end and print the result; exit code 1 unless it completed")
    .option("--timeout <duration>", "with --wait: how long (exit code 6 when it is over)")
    .option("--many <file>", "one Operation for each line of JSON in this file; `-` for standard input")
    .option("--module <file>", "the App's module: knows the Steps, their Queues and options")
    .option("--export <name>", "which export of the module is the App")
    .option("--untied", "enqueue although the Step has keys, an order or limits: what it enqueues obeys none of them")
    .addHelpText(
      "after",
      `
Prints the id. A Step that no Foreman knows waits until one does, and without --module a Step with another Queue
than \`async\` needs --queue. A Step with keys, an order or limits of its own is enqueued by its program, which reads
them from the input: it is refused here if the module, a Foreman that runs or a limit in use tells of it.

Examples:
  $ millrace enqueue resize '{"image":"cat.png"}' --store redis://localhost --wait
  $ cat order.json | millrace enqueue charge - --module ./app.js --tag customer=7
  $ millrace enqueue mail --many recipients.jsonl --delay 10m`,
    )
    .action(async (name: string, input: string | undefined) => {
      const flags = command.opts<EnqueueFlags>();
      if (flags.many !== undefined && input !== undefined) {
        throw createServerError("MR_USAGE", { problem: "give either an input or --many" });
      }
      if (flags.many !== undefined && flags.wait === true) {
        throw createServerError("MR_USAGE", { problem: "--wait is for one Operation, not for --many" });
      }
      if (flags.many !== undefined && flags.idempotencyKey !== undefined) {
        throw createServerError("MR_USAGE", { problem: "--idempotency-key is for one Operation, not for --many" });
      }
      const options = optionsOf(flags);
      const value = flags.many === undefined ? await inputOf(cli, input) : null;
      const config = await cli.load(command);
      const app = await makeApp(cli, config, name, flags);
      try {
        if (flags.untied !== true) await refuseTied(app, name);
        cli.exitCode =
          flags.many === undefined
            ? await enqueueOne(cli, app, { name, value, options, flags })
            : await enqueueMany(cli, app, { name, path: flags.many, options });
      } finally {
        await app.close();
      }
    });
  cli.addSettings(command, ["app_id", "node_id", "store.url", "store.durability", "store.timeout_ms"]);
}

/** An App that only submits. The Step's function is never called: this App is never started. */
async function makeApp(cli: Cli, config: Config, name: string, flags: EnqueueFlags): Promise<App> {
  const { values, settings } = config;
  const manifest =
    flags.module === undefined
      ? null
      : await readManifest({ module: resolve(cli.world.cwd, flags.module), exportName: flags.export ?? null });
  const given = <Key extends "app_id" | "node_id" | "store.url" | "store.durability">(key: Key) =>
    settings.get(key)?.origin.kind === "default" ? undefined : values[key];
  const declared = manifest?.app.options as
    | (Pick<AppOptions, "store" | "encryptionKey" | "compressFrom"> & {
        readonly durability?: string;
        readonly nodeId?: string;
      })
    | undefined; // as App resolved them
  const durability = (given("store.durability") ?? declared?.durability) as (typeof values)["store.durability"]; // a level, by either table
  const app = new App({
    id: given("app_id") ?? manifest?.app.id ?? values.app_id,
    store: given("store.url") ?? declared?.store ?? values["store.url"],
    nodeId: given("node_id") ?? declared?.nodeId ?? nodeIdOf(config),
    network: { timeout: values["store.timeout_ms"] },
    ...(declared?.encryptionKey === undefined ? {} : { encryptionKey: declared.encryptionKey }),
    ...(declared?.compressFrom === undefined ? {} : { compressFrom: declared.compressFrom }),
    ...(durability === undefined ? {} : { durability }),
  });
  if (manifest === null) {
    app.step(name, { queue: flags.queue ?? "async" }, notHere);
    return app;
  }
  if (flags.untied !== true && manifest.steps.some((step) => step.name === name && step.isTied)) throw tiedError(name);
  for (const { name: step, queue, priority, expiresMs, deadlineMs } of manifest.steps) {
    const times = {
      ...(expiresMs === null ? {} : { expires: expiresMs }),
      ...(deadlineMs === null ? {} : { deadline: deadlineMs }),
    };
    app.step(step, { queue, priority, ...times }, notHere);
  }
  return app;
}

/** What the store tells of a Step: its Foremen say whether it is tied, and so does a limit of it. Errors: MR_USAGE. */
async function refuseTied(app: App, name: string): Promise<void> {
  const { steps } = await app.inspect.steps({ name, counts: false });
  if (steps.some(({ isTied }) => isTied === true)) throw tiedError(name);
}

function tiedError(name: string): Error {
  const problem = `Step ${name} has keys, an order or limits, which its program reads: enqueue it there, or pass them by with --untied`;
  return createServerError("MR_USAGE", { problem });
}

function notHere(): never {
  throw new Error("this App only submits");
}

interface One {
  readonly name: string;
  readonly value: unknown;
  readonly options: EnqueueOptions;
  readonly flags: EnqueueFlags;
}

async function enqueueOne({ output }: Cli, app: App, { name, value, options, flags }: One): Promise<number> {
  const handle = await app.enqueue(name, value, options);
  const { id } = handle;
  if (flags.wait !== true) {
    output.result({ id, durability: handle.receipt.durability }, id);
    return EXIT.ok;
  }
  output.note(`enqueued ${id}; waiting`);
  const timeout = flags.timeout as EnqueueOptions["timeout"]; // a duration or not: core says which
  const outcome = await handle.wait(timeout === undefined ? {} : { timeout });
  switch (outcome.state) {
    case "completed":
      output.result({ id, state: outcome.state, result: outcome.value }, toJson(outcome.value));
      return EXIT.ok;
    case "failed":
      output.result({ id, state: outcome.state, error: outcome.error }, "");
      output.note(`${id} failed: ${outcome.error.name}: ${outcome.error.message}`);
      return EXIT.failed;
    default:
      output.result({ id, state: outcome.state, reason: outcome.reason }, "");
      output.note(`${id} was ${outcome.state}: ${outcome.reason}`);
      return EXIT.failed;
  }
}

interface Many {
  readonly name: string;
  readonly path: string;
  readonly options: EnqueueOptions;
}

/** A line that is wrong is told and left out; the others go on. */
async function enqueueMany(cli: Cli, app: App, { name, path, options }: Many): Promise<number> {
  const source = path === "-" ? cli.world.stdin : createReadStream(resolve(cli.world.cwd, path));
  let number = 0;
  let refused = 0;
  let enqueued = 0;
  let batch: { readonly line: number; readonly value: unknown }[] = [];
  const refuse = (line: number, reason: string): void => {
    refused++;
    cli.output.note(`line ${line}: ${reason}`);
  };
  const send = async (): Promise<void> => {
    const lines = batch;
    batch = [];
    const { handles } = await app.enqueueMany(
      name,
      lines.map(({ value }) => value),
      options,
    );
    for (const [at, handle] of handles.entries()) {
      if (handle instanceof Error) refuse(lines[at]?.line ?? 0, handle.message);
      else {
        enqueued++;
        cli.output.result({ id: handle.id }, handle.id);
      }
    }
  };
  for await (const text of createInterface({ input: source })) {
    number++;
    if (text.trim() === "") continue;
    try {
      batch.push({ line: number, value: JSON.parse(text) as unknown });
    } catch (error) {
      refuse(number, (error as Error).message); // JSON.parse throws errors
    }
    if (batch.length >= LINES_MAX) await send();
  }
  if (batch.length > 0) await send();
  cli.output.note(`enqueued ${enqueued}, refused ${refused}`);
  return refused === 0 ? EXIT.ok : EXIT.failed;
}

async function inputOf(cli: Cli, given: string | undefined): Promise<unknown> {
  if (given === undefined) return null;
  const text = given === "-" ? await readAll(cli.world.stdin) : given;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const problem = `the input is no JSON: ${(error as Error).message}`; // JSON.parse throws errors
    throw createServerError("MR_USAGE", { problem });
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  for await (const part of stream) text += part;
  return text;
}

/** The options of the call; core checks them, so that there is one set of rules. */
function optionsOf(flags: EnqueueFlags): EnqueueOptions {
  const { delay, at, queue, tag, attemptTimeout, idempotencyKey, expires, deadline } = flags;
  const given = {
    delay,
    at,
    queue,
    priority: numberOf("--priority", flags.priority),
    retries: numberOf("--retries", flags.retries),
    timeout: attemptTimeout,
    idempotencyKey,
    expires,
    deadline,
    tags: tag === undefined ? undefined : Object.fromEntries(tag.map(tagOf)),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as EnqueueOptions; // checked by enqueue
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text.replace("−", "-"));
  if (text.trim() !== "" && Number.isInteger(number)) return number;
  throw createServerError("MR_USAGE", { problem: `${flag}: expected a whole number, got ${JSON.stringify(text)}` });
}

function tagOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw createServerError("MR_USAGE", { problem: `--tag: expected key=value, got ${JSON.stringify(text)}` });
}

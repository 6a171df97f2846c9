/**
 * `millrace foreman MODULE` (also `start`): runs an App's Steps. By default this process is a supervisor and the Foreman
 * its child; with --no-supervise it is the Foreman itself.
 */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { type Config, loadConfig, nodeIdOf } from "../../config/load.js";
import { configKeys } from "../../config/options.js";
import { createServerError } from "../../errors.js";
import { exitCodeOf } from "../../exit.js";
import { parseLevels } from "../../log/levels.js";
import { createLogger, loadPrettifier, type ProcessLogger } from "../../log/logger.js";
import { runForeman } from "../../processes/foreman.js";
import { moduleUrl } from "../../processes/manifest.js";
import { createNotifier } from "../../processes/notify.js";
import { PROGRAM, supervise } from "../../processes/supervisor.js";
import type { Cli } from "../cli.js";

interface ForemanFlags {
  readonly supervise: boolean;
  readonly watchdog: boolean;
  readonly takeover?: boolean;
  readonly export?: string;
  readonly supervised?: boolean;
  readonly buried?: readonly string[];
}

/** The supervisor gives a Foreman that is told to stop this much longer than its drain takes. Milliseconds. */
const STOP_SPARE_MS = 20_000;
/** A dead Foreman's name is passed on for so many Leases: one of them and the ordinary rescue has happened. */
const BURIED_LEASES = 3;

/** Adds the command. */
export function addForeman(program: Command, cli: Cli): void {
  const command = program
    .command("foreman")
    .alias("start")
    .description("run an App's Steps on Worker threads, until told to stop")
    .argument("<module>", "the App's module: exports the App, or calls app.start()")
    .option("--export <name>", "which export of the module is the App")
    .option("--pin <mix>", "pin parts of the mix: blocking=2,async=4,slots=8 (env MILLRACE_FORCE_BLOCKING …)")
    .option("--takeover", "start although another machine that lives bears this Node's name")
    .option("--no-supervise", "be the Foreman itself: no second process, nobody starts it again")
    .option("--no-watchdog", "do not kill a Foreman whose loop stands still")
    .addOption(new Option("--supervised").hideHelp())
    .addOption(
      new Option("--buried <owner>").hideHelp().argParser<string[]>((owner, owners) => [...(owners ?? []), owner]),
    )
    .addHelpText(
      "after",
      `
Prints one line when every Worker polls. The first SIGTERM or SIGINT stops gracefully: nothing new is claimed,
running work may finish for foreman.drain_ms, the rest is given back unharmed. A second one stops at once.
SIGHUP reads the settings again. More settings: \`millrace config\`; each key a.b_c is also a flag --a-b-c.

Examples:
  $ millrace foreman ./app.js
  $ millrace foreman ./app.js --store redis://localhost --node-id web-1 --blocking-workers 4 --slots 16
  $ kill -HUP $(pidof millrace)`,
    )
    .action(async (module: string) => {
      const flags = command.opts<ForemanFlags>();
      const config = await cli.load(command);
      const url = moduleUrl(module.startsWith("file:") ? module : resolve(cli.world.cwd, module));
      const log = await makeLogger(cli, config);
      const notifier = createNotifier({ ...cli.world.env }, log);
      const isSupervised = flags.supervised === true;
      if (flags.supervise && !isSupervised) {
        const { "foreman.lease_ms": leaseMs, "foreman.drain_ms": drainMs } = config.values;
        cli.exitCode = await supervise({
          program: PROGRAM,
          argv: cli.world.argv,
          // systemd hears from one of us.
          env: { ...cli.world.env, NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined },
          cwd: cli.world.cwd,
          silenceMs: flags.watchdog ? leaseMs : null,
          stopMs: drainMs + STOP_SPARE_MS,
          buriedMs: BURIED_LEASES * leaseMs,
          log,
          notifier,
        });
      } else {
        cli.exitCode = await runForeman({
          config,
          reload: () => loadConfig(cli.loadOptions(command)),
          module: url,
          exportName: flags.export ?? null,
          isTakingOver: flags.takeover === true,
          isSupervised,
          buried: flags.buried ?? [],
          log,
          notifier,
          ready: (data, text) => cli.output.result(data, text),
        }).catch((error: unknown) => {
          // Whoever reads lines of JSON gets one; people get the sentence.
          if (formatOf(cli, config) === "pretty") throw error;
          log.error({ error }, "the Foreman did not start");
          return exitCodeOf(error);
        });
      }
      log.flush();
    });
  cli.addSettings(command, configKeys);
}

function formatOf({ world }: Cli, { values }: Config): "json" | "pretty" {
  return values["log.format"] ?? (world.stderr.isTTY === true ? "pretty" : "json");
}

async function makeLogger(cli: Cli, config: Config): Promise<ProcessLogger> {
  const { world } = cli;
  const { values, settings } = config;
  const levels = parseLevels(values["log.level"]);
  if (levels === null) throw createServerError("MR_USAGE", { problem: "log.level is not understood" }); // its row has parsed it
  const isTerminal = world.stderr.isTTY === true;
  const forbids = world.argv.includes("--no-color") || (world.env.NO_COLOR ?? "") !== "";
  return createLogger({
    levels,
    prettify: formatOf(cli, config) === "pretty" ? await loadPrettifier(isTerminal && !forbids) : null,
    // Where nobody gives it, the App's name is the module's affair: lines before it is read have none.
    base: {
      ...(settings.get("app_id")?.origin.kind === "default" ? {} : { app_id: values.app_id }),
      node_id: nodeIdOf(config),
    },
    mask: config.mask,
  });
}

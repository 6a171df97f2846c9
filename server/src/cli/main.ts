/**
 * The `millrace` command: words → one command of commands/, its exit code. No business logic here.
 */
import { Command, CommanderError } from "commander";
import { EXIT, exitCodeOf } from "../exit.js";
import { serverVersion } from "../version.js";
import { Cli, type World } from "./cli.js";
import { addConfig } from "./commands/config.js";
import { addDlq } from "./commands/dlq.js";
import { addDoctor } from "./commands/doctor.js";
import { addEnqueue } from "./commands/enqueue.js";
import { addExplain } from "./commands/explain.js";
import { addForeman } from "./commands/foreman.js";
import { addFsck } from "./commands/fsck.js";
import { addLimits } from "./commands/limits.js";
import { addOps } from "./commands/ops.js";
import { addSteps } from "./commands/steps.js";

const EXAMPLES = `
Examples:
  $ millrace foreman ./app.js --store redis://localhost --blocking-workers 4
  $ millrace enqueue resize '{"image":"cat.png"}' --module ./app.js --wait
  $ millrace config --explain store.url
  $ millrace doctor --module ./app.js

Exit codes: 0 done, 1 failed, 2 usage or settings, 4 not found, 5 in use by another, 6 unreachable or
too late, 70 fault of Millrace, 130 interrupted (Foreman: 130 or 143 when a second signal came).`;

/** Runs the command and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<never> {
  const { env, stdin, stdout, stderr } = process;
  // Whoever reads our output may stop reading: `millrace config | head -1` is no failure.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failed));
  }
  const code = await run({ env, cwd: process.cwd(), stdin, stdout, stderr, argv });
  await Promise.all([stdout, stderr].map((stream) => new Promise((written) => stream.write("", written))));
  process.exit(code);
}

/** Runs the command in a world; answers its exit code. */
export async function run(world: World): Promise<number> {
  const cli = new Cli(world);
  const program = makeProgram(cli);
  try {
    if (world.argv.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.usage;
    }
    await program.parseAsync(world.argv, { from: "user" });
    return cli.exitCode;
  } catch (error) {
    // Commander has said what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    cli.output.fail(error);
    return exitCodeOf(error);
  }
}

/** Every command with its flags; also read by the reference docs. */
export function makeProgram(cli: Cli): Command {
  const { stdout, stderr } = cli.world;
  const program = new Command("millrace")
    .description("A task queue and durable workflow engine: run an App's Steps, enqueue, look after them.")
    .version(serverVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => 110,
      getErrHelpWidth: () => 110,
      outputError: (text, write) => write(text),
    })
    .exitOverride()
    .showHelpAfterError("(--help says what there is)")
    .addHelpText("after", EXAMPLES)
    .hook("preAction", (_, command) => cli.begin(command));
  cli.addGlobalFlags(program);
  const all = [addForeman, addEnqueue, addOps, addSteps, addDlq, addExplain, addLimits, addFsck, addConfig, addDoctor];
  for (const add of all) add(program, cli);
  return program;
}

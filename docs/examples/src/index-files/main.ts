/**
 * `npm start`: indexes every file below a folder through a durable queue, and survives being killed.
 *
 * Start reading here; then pipeline.ts (what is enqueued and collected) and run-folder.ts (what is remembered where).
 * This file holds the App, its one Step, the signals and the exit codes.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { App, isMillraceError } from "@millrace/core";
import { type FileResult, indexFile } from "./index-file.js";
import { HELP, type Options, readOptions, UsageError } from "./options.js";
import type { FileInput } from "./pipeline.js";
import { size, whole } from "./report.js";
import { type RunResult, runOnce } from "./run.js";

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }

  const app = new App({
    id: "index-files",
    store: options.store,
    workers: { asyncWorkers: 1, slots: options.concurrency },
  });
  const step = app.step(
    "index-file",
    { retries: 2, timeout: "30m", retain: { completed: "7d" } },
    async ({ root, path }: FileInput, ctx): Promise<FileResult> => indexFile(join(root, path), ctx.abort),
  );

  const interruption = onInterrupt(app);
  try {
    await startPatiently(app);
    const result = await runOnce(app, step, options, say);
    await app.close();
    tell(result, options);
    return 0;
  } catch (error) {
    if (!interruption.isAsked) throw error;
    await interruption.isOver;
    say("interrupted; start again with the same options to go on");
    return 130;
  } finally {
    await app.close();
  }
}

/** A process killed a moment ago may still be on its way out, and holds the embedded store until it is gone. */
async function startPatiently(app: App): Promise<void> {
  for (let triesLeft = 20; ; triesLeft--) {
    try {
      return await app.start();
    } catch (error) {
      if (triesLeft === 0 || !isMillraceError(error, "MR_STORE_LOCKED")) throw error;
      await sleep(100);
    }
  }
}

/** The first Ctrl-C lets running files finish and keeps the rest for later; the second leaves at once. */
function onInterrupt(app: App): { readonly isAsked: boolean; readonly isOver: Promise<void> } {
  const state = { isAsked: false, isOver: Promise.resolve() };
  const interrupt = () => {
    if (state.isAsked) process.exit(130);
    state.isAsked = true;
    say("\nletting running files finish; once more to leave at once");
    state.isOver = app.stop({ drain: "10s" }).then(() => app.close());
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return state;
}

function tell({ summary, timing, resumedFiles }: RunResult, options: Options): void {
  if (options.json) {
    const { total, unreadable } = summary;
    const outcome = { total, unreadable: unreadable.length, resumedFiles, timing, out: options.out };
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    return;
  }
  const { p50, p99 } = timing.enqueueToDoneMs;
  const files = whole(summary.total.files);
  say(`done: ${files} files, ${size(summary.total.bytes)}, ${whole(summary.unreadable.length)} unreadable`);
  say(`${whole(timing.files)} files in ${timing.seconds} s: ${timing.filesPerSecond} files/s`);
  say(`from enqueue to done: p50 ${p50} ms, p99 ${p99} ms (waiting in the Queue included)`);
  say(`report: ${join(options.out, "report.md")}`);
}

function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isWrongOption = error instanceof UsageError || ["MR_STORE_URL", "MR_INVALID_OPTION"].includes(codeOf(error));
  if (isWrongOption) say(`${error instanceof Error ? error.message : error}\nTry: npm start -- --help`);
  else if (isMillraceError(error)) say(`${error.code}: ${error.message}`);
  else console.error(error);
  process.exitCode = isWrongOption ? 2 : 1;
}

function codeOf(error: unknown): string {
  return isMillraceError(error) ? error.code : "";
}

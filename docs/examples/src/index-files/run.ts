/** One life of the program: goes on with the unfinished run or begins a new one, and writes the reports at its end. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { App, Step } from "@millrace/core";
import { chartOf } from "./chart.js";
import type { FileResult } from "./index-file.js";
import { type Options, UsageError } from "./options.js";
import { type FileInput, indexAll, recall } from "./pipeline.js";
import { Progress } from "./progress.js";
import { jsonOf, markdownOf, whole } from "./report.js";
import { putInPlace, RunFolder, writeWhole } from "./run-folder.js";
import { scan } from "./scan.js";
import { Timing, type TimingReport } from "./timing.js";
import { type Summary, Totals } from "./totals.js";

/** What the run came to. */
export interface RunResult {
  readonly summary: Summary;
  readonly timing: TimingReport;
  readonly resumedFiles: number;
}

/** Runs to the end, unless the App is closed meanwhile. Errors: UsageError; MillraceError. */
export async function runOnce(
  app: App,
  step: Step<FileInput, FileResult>,
  options: Options,
  say: (sentence: string) => void,
): Promise<RunResult> {
  const unfinished = await RunFolder.find(join(options.out, "run"));
  if (unfinished !== null && !options.fresh) refuseOther(unfinished, options);
  if (unfinished !== null && options.fresh) await forget(app, unfinished);
  const run = unfinished !== null && !options.fresh ? unfinished : await begin(options);

  const total = run.plan.files.length;
  const known = await recall(app, run);
  if (run === unfinished) say(`resuming: ${whole(known.done)} of ${whole(total)} files already done`);
  else say(`indexing ${whole(total)} files below ${run.plan.root}`);

  const timing = new Timing();
  const totals = new Totals();
  const progress = new Progress(total, known.done);
  let hidden = known.done; // the bar has these already
  const indexed = indexAll(app, step, run, known, (latencyMs) => {
    if (latencyMs !== null) timing.add(latencyMs);
    if (latencyMs === null && hidden-- > 0) return;
    progress.add();
  });
  const index = join(options.out, "index.jsonl");
  try {
    await pipeline(
      async function* () {
        for await (const { path, result } of indexed) {
          totals.add(path, result);
          yield `${JSON.stringify({ path, ...result })}\n`;
        }
      },
      createWriteStream(`${index}.new`),
    );
  } finally {
    progress.stop();
  }

  const result = { summary: totals.summary(run.plan), timing: timing.report(), resumedFiles: known.done };
  await putInPlace(index);
  await writeReports(options.out, result);
  await run.remove();
  return result;
}

async function begin(options: Options): Promise<RunFolder> {
  await mkdir(options.out, { recursive: true });
  const found = await scan(options.dir, [options.out, options.store.replace(/^embedded:/, "")]);
  return RunFolder.begin(join(options.out, "run"), { root: options.dir, store: options.store, ...found });
}

/** An unfinished run answers only to the options it was begun with. */
function refuseOther({ plan }: RunFolder, options: Options): void {
  if (plan.root === options.dir && plan.store === options.store) return;
  throw new UsageError(
    `${options.out} holds an unfinished run of ${plan.root} on ${plan.store}: finish it with the same --dir and --store, or drop it with --fresh`,
  );
}

/** Nobody will ask for what an abandoned run still has in its Queue. */
async function forget(app: App, run: RunFolder): Promise<void> {
  for (let chunk = 0; chunk < run.chunks; chunk++) {
    const ids = (await run.ids(chunk)) ?? [];
    await Promise.allSettled(ids.map((id) => app.handle(id).cancel({ reason: "dropped by --fresh" })));
  }
}

async function writeReports(out: string, { summary, timing }: RunResult): Promise<void> {
  await writeWhole(join(out, "report.json"), jsonOf(summary));
  await writeWhole(join(out, "report.svg"), chartOf(summary));
  await writeWhole(join(out, "report.md"), markdownOf(summary));
  await writeWhole(join(out, "timing.json"), `${JSON.stringify(timing, null, 2)}\n`);
}

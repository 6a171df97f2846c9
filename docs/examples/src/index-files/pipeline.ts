/**
 * Fan out and fan in: one Operation per file, and their results in the order of the files.
 *
 * What makes a kill harmless: the store keeps every Operation and every result; `RunFolder` keeps which Operation
 * stands for which file. Starting again looks the known ones up by id, and enqueues what has none.
 */
import type { App, Handle, Step } from "@millrace/core";
import type { FileResult } from "./index-file.js";
import type { RunFolder } from "./run-folder.js";

/** The Step's input. */
export interface FileInput {
  readonly root: string;
  readonly path: string;
}

/** The Operations known from an earlier life, per chunk of the run, and how many of them are done. */
export interface Known {
  readonly chunks: ReadonlyMap<number, readonly Handle<FileResult>[]>;
  readonly done: number;
}

/** How many chunks are under way at once: enough to keep all slots busy, few enough to keep memory flat. */
const CHUNKS_AHEAD = 4;

/** Looks up what earlier lives of this run have enqueued. A chunk the store has forgotten a part of is left out. */
export async function recall(app: App, run: RunFolder): Promise<Known> {
  const chunks = new Map<number, Handle<FileResult>[]>();
  let done = 0;
  for (let chunk = 0; chunk < run.chunks; chunk++) {
    const ids = await run.ids(chunk);
    if (ids === null) continue;
    const handles = ids.map((id) => app.handle<FileResult>(id)); // this Step's ids, so its results
    const found = await Promise.allSettled(handles.map((handle) => handle.status()));
    if (found.some((status) => status.status === "rejected")) continue;
    chunks.set(chunk, handles);
    done += found.filter((status) => status.status === "fulfilled" && status.value.state === "completed").length;
  }
  return { chunks, done };
}

/** Indexes all files of a run and yields each with its result, once. `onDone` hears of results as they come. */
export async function* indexAll(
  app: App,
  step: Step<FileInput, FileResult>,
  run: RunFolder,
  known: Known,
  onDone: (latencyMs: number | null) => void,
): AsyncGenerator<{ readonly path: string; readonly result: FileResult }> {
  const ahead: Promise<FileResult[]>[] = [];
  for (let chunk = 0; chunk < run.chunks + CHUNKS_AHEAD; chunk++) {
    if (chunk < run.chunks) {
      const old = known.chunks.get(chunk);
      const startedMs = performance.now();
      const handles = old ?? (await enqueueChunk(app, step, run, chunk));
      const results = Promise.all(
        handles.map(async (handle) => {
          const result = await resultOf(app, handle);
          onDone(old === undefined ? performance.now() - startedMs : null);
          return result;
        }),
      );
      results.catch(() => {}); // it is awaited below, perhaps after an earlier chunk has failed
      ahead.push(results);
    }
    if (chunk < CHUNKS_AHEAD) continue;
    const results = await ahead.shift();
    const files = run.files(chunk - CHUNKS_AHEAD);
    for (const [index, result] of (results ?? []).entries()) yield { path: files[index] ?? "", result };
  }
}

/** Enqueues one chunk, and only then records its ids. */
async function enqueueChunk(
  app: App,
  step: Step<FileInput, FileResult>,
  run: RunFolder,
  chunk: number,
): Promise<Handle<FileResult>[]> {
  const inputs = run.files(chunk).map((path) => ({ root: run.plan.root, path }));
  const { handles } = await app.enqueueMany(step, inputs);
  const accepted = handles.map((handle) => {
    if (handle instanceof Error) throw handle;
    return handle;
  });
  await run.record(
    chunk,
    accepted.map((handle) => handle.id),
  );
  return accepted;
}

async function resultOf(app: App, handle: Handle<FileResult>): Promise<FileResult> {
  let outcome = await handle.wait();
  if (outcome.state === "failed" && outcome.error.code === "MR_POISON") {
    // It was running each time this program was killed, which was no fault of the file's: a new generation.
    await app.queue("async").requeue([handle.id]);
    outcome = await handle.wait();
  }
  if (outcome.state === "completed") return outcome.value;
  return { unreadable: outcome.state === "failed" ? (outcome.error.code ?? outcome.error.name) : outcome.state };
}

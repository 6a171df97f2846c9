/**
 * Records a workload from what this machine really does: `node bench/dist/tune/record.js FOLDER > recorded.json`.
 *
 * Walks the folder. What a directory holds arrives when the walk finds it, so arrivals come in bursts as directories
 * do. Each file is an async Operation (read it: the wait; count its words and digest it: the loop), each larger one
 * also a blocking Operation (compress it). Times are measured one Operation at a time, after the walk.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** What is written: columns short enough to commit. Times in ms, three decimals. */
export interface Recording {
  readonly sentence: string;
  /** One row per Operation: when it came, 1 for blocking, time on a core, time waiting. */
  readonly operations: readonly (readonly [atMs: number, isBlocking: 0 | 1, cpuMs: number, waitMs: number])[];
}

const OPERATIONS_MAX = 3_000;
const COMPRESS_BYTES_MIN = 12_000;
/** Larger files are left out: a few of them would be most of the work. */
const BYTES_MAX = 400_000;

if (process.argv[1]?.endsWith("record.js") === true) {
  const folder = process.argv[2] ?? "node_modules";
  process.stdout.write(`${recordingText(await record(folder))}\n`);
}

/** Records the files below a folder. */
export async function record(folder: string): Promise<Recording> {
  const found: { readonly path: string; readonly atMs: number }[] = [];
  const beganMs = performance.now();
  await walk(folder, (paths) => {
    const atMs = performance.now() - beganMs;
    if (found.length < OPERATIONS_MAX) found.push(...paths.map((path) => ({ path, atMs })));
  });
  const operations: [number, 0 | 1, number, number][] = [];
  for (const { path, atMs } of found) {
    const { text, waitMs } = await timedRead(path);
    if (text.length > BYTES_MAX) continue;
    operations.push([round(atMs), 0, round(timed(() => digest(text))), round(waitMs)]);
    if (text.length >= COMPRESS_BYTES_MIN) operations.push([round(atMs), 1, round(timed(() => gzipSync(text))), 0]);
  }
  const kept = operations.slice(0, OPERATIONS_MAX);
  const blocking = kept.filter(([, isBlocking]) => isBlocking === 1).length;
  const sentence = `${kept.length - blocking} files read and digested, ${blocking} of them compressed, as a walk over ${folder} found them`;
  return { sentence, operations: kept };
}

/** One Operation a line: a diff shows what changed. */
export function recordingText({ sentence, operations }: Recording): string {
  const rows = operations.map((row) => JSON.stringify(row)).join(",\n");
  return `{"sentence":${JSON.stringify(sentence)},"operations":[\n${rows}\n]}`;
}

async function walk(folder: string, tell: (paths: readonly string[]) => void): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  tell(entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name)));
  for (const entry of entries) if (entry.isDirectory()) await walk(join(folder, entry.name), tell);
}

async function timedRead(path: string): Promise<{ readonly text: string; readonly waitMs: number }> {
  const beganMs = performance.now();
  const text = await readFile(path, "latin1");
  return { text, waitMs: performance.now() - beganMs };
}

function digest(text: string): string {
  const words = new Map<string, number>();
  for (const word of text.split(/\W+/)) words.set(word, (words.get(word) ?? 0) + 1);
  return createHash("sha256").update(text).digest("hex") + words.size;
}

function timed(work: () => unknown): number {
  const beganMs = performance.now();
  work();
  return performance.now() - beganMs;
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

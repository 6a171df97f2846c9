/**
 * What the program itself must remember to go on after a kill: which files the run is about, and which Operation
 * stands for which file. Results are not here: they are kept by the queue, and found by id.
 *
 *   run/plan.json     the folder, the store, and the files as they were found at the start
 *   run/0000.json     ids of the first chunk's Operations, in the order of the files; run/0001.json of the next; …
 *
 * A file here is whole or absent (written beside, flushed, renamed). A chunk's ids are written after the store has
 * acknowledged them: a kill between the two leaves Operations without a name here. They run and are never looked at,
 * for the chunk is enqueued anew under new ids. So work may be done twice, and no file is ever counted twice.
 */
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Found } from "./scan.js";

/** What a run is about; fixed when it begins. */
export interface Plan extends Found {
  readonly root: string;
  readonly store: string;
}

/** How many files share one record of ids, and are enqueued together. */
export const CHUNK_FILES = 500;

/** An unfinished run, on disk. */
export class RunFolder {
  readonly plan: Plan;
  readonly chunks: number;
  readonly #folder: string;

  private constructor(folder: string, plan: Plan) {
    this.#folder = folder;
    this.plan = plan;
    this.chunks = Math.ceil(plan.files.length / CHUNK_FILES);
  }

  /** The unfinished run in this folder, or null. */
  static async find(folder: string): Promise<RunFolder | null> {
    // Written by `begin` below, and whole or absent.
    const plan = (await readJson(join(folder, "plan.json"))) as Plan | null;
    return plan === null ? null : new RunFolder(folder, plan);
  }

  /** Begins a run. From here on, starting the program again goes on with it. */
  static async begin(folder: string, plan: Plan): Promise<RunFolder> {
    await rm(folder, { recursive: true, force: true });
    await writeWhole(join(folder, "plan.json"), JSON.stringify(plan));
    return new RunFolder(folder, plan);
  }

  /** The files of one chunk. */
  files(chunk: number): readonly string[] {
    return this.plan.files.slice(chunk * CHUNK_FILES, (chunk + 1) * CHUNK_FILES);
  }

  /** The ids recorded for one chunk, or null if it is yet to be enqueued. */
  async ids(chunk: number): Promise<readonly string[] | null> {
    return (await readJson(this.#pathOf(chunk))) as string[] | null; // written by `record`
  }

  /** Records a chunk's ids, in the order of its files. */
  async record(chunk: number, ids: readonly string[]): Promise<void> {
    await writeWhole(this.#pathOf(chunk), JSON.stringify(ids));
  }

  /** Ends the run: the next start is a new one. The plan goes first, since without it nothing else counts. */
  async remove(): Promise<void> {
    await rm(join(this.#folder, "plan.json"));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #pathOf(chunk: number): string {
    return join(this.#folder, `${String(chunk).padStart(4, "0")}.json`);
  }
}

/** Writes a file so that a kill or a power cut leaves the old content or the new, never a part. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text);
  await putInPlace(path);
}

/** Puts the finished `path.new` in the place of `path`, flushed first: a rename may reach the disk before the bytes. */
export async function putInPlace(path: string): Promise<void> {
  const beside = await open(`${path}.new`, "r+");
  await beside.sync();
  await beside.close();
  await rename(`${path}.new`, path);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

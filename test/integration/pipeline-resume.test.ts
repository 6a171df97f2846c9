/**
 * The main job is killed with SIGKILL in mid-run, again and again, and still writes the reports of a run in peace.
 *
 * The moments of the kills come from a seed: MILLRACE_SEED=… repeats them (as far as the machine's load allows).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "@millrace/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const program = join(import.meta.dirname, "../../docs/examples/dist/index-files/main.js");
const FILES = 3_000;
const KILLS = 4;
const REPORTS = ["report.md", "report.svg", "report.json", "index.jsonl"];

const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);
const random = mulberry32(seed);

/** A small generator of numbers in [0, 1), the same ones for the same seed. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Small files of several kinds: text, binary, empty, without extension, with odd names; and a link to pass over. */
function growTree(root: string): void {
  const kinds = [".ts", ".md", ".bin", ".json", "", ".TXT"];
  for (let i = 0; i < FILES; i++) {
    const folder = join(root, `part-${i % 37}`, i % 5 === 0 ? "déjà vu" : "plain");
    mkdirSync(folder, { recursive: true });
    const kind = kinds[i % kinds.length] ?? "";
    const text = `file ${i}\n`.repeat(Math.floor(random() * 60));
    writeFileSync(
      join(folder, `${i}${kind}`),
      kind === ".bin" ? Buffer.from([0, i & 255, ...Buffer.from(text)]) : text,
    );
  }
  symlinkSync(root, join(root, "loop"));
}

interface Life {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}

/** A life of the program. `begun`: it works on files, or has ended. */
function start(tree: string, out: string, ...more: string[]) {
  const args = [program, "--dir", tree, "--out", out, "--concurrency", "4", ...more];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const end = once(child, "close").then(([code, signal]) => ({ code, signal, said }) as Life);
  const begun = new Promise<void>((resolve) => {
    const hear = (chunk: Buffer) => {
      said += chunk;
      if (/resuming|indexing/.test(said)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    void end.then(() => resolve());
  });
  return { child, begun, end };
}

/** Waits until the run has `chunks` chunks of ids on disk, or the program has ended by itself. */
async function untilChunks(out: string, chunks: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) return;
    const run = join(out, "run");
    if (existsSync(run) && readdirSync(run).filter((name) => /^\d+\.json$/.test(name)).length >= chunks) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What each report holds, byte for byte. */
function reportsIn(out: string): Record<string, string> {
  return Object.fromEntries(REPORTS.map((name) => [name, readFileSync(join(out, name), "utf8")]));
}

describe("the index-files job", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-resume-"));
  const tree = join(folder, "tree");
  const peaceful = join(folder, "a");
  const killed = join(folder, "b");

  beforeAll(() => growTree(tree));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("killed in mid-run it goes on, and its reports equal those of a run in peace", async () => {
    console.log(`seed ${seed}: MILLRACE_SEED=${seed} repeats it`);
    const whole = await start(tree, peaceful).end;
    expect(whole.code, whole.said).toBe(0);

    let kills = 0;
    let resumedWithWorkDone = 0;
    let ids: string[] = [];
    for (let life = 0; ; life++) {
      expect(life, "it must end").toBeLessThan(60);
      const { child, begun, end } = start(tree, killed);
      if (kills < KILLS) {
        await begun;
        await new Promise((resolve) => setTimeout(resolve, 100 + random() * 900));
        child.kill("SIGKILL");
      }
      const { code, signal, said } = await end;
      const already = /resuming: ([\d,]+) of 3,000 files already done/.exec(said)?.[1];
      if (already !== undefined && already !== "0") resumedWithWorkDone++;
      if (signal === "SIGKILL") {
        kills++;
        ids = idsIn(killed, ids);
        continue;
      }
      expect(code, said).toBe(0);
      break;
    }
    console.log(`${kills} kills, ${resumedWithWorkDone} lives began with files already done`);
    expect(kills).toBeGreaterThanOrEqual(3);
    expect(resumedWithWorkDone).toBeGreaterThanOrEqual(1);
    expect(reportsIn(killed)).toEqual(reportsIn(peaceful));

    const paths = readFileSync(join(killed, "index.jsonl"), "utf8").trim().split("\n");
    const distinct = new Set(paths.map((line) => (JSON.parse(line) as { path: string }).path));
    expect([paths.length, distinct.size]).toEqual([FILES, FILES]);
    const { total } = JSON.parse(readFileSync(join(killed, "report.json"), "utf8")) as { total: { files: number } };
    expect(total.files).toBe(FILES);

    await inspectStore(join(killed, "store"), ids);
  });

  test("an unfinished run answers only to its own options", async () => {
    const out = join(folder, "c");
    const { child, end } = start(tree, out);
    await untilChunks(out, 1, child);
    child.kill("SIGKILL");
    await end;
    const other = await start(join(tree, "part-1"), out).end;
    expect([other.code, other.said]).toEqual([2, expect.stringContaining("unfinished run")]);
    const fresh = await start(join(tree, "part-1"), out, "--fresh", "--json").end;
    expect(fresh.code, fresh.said).toBe(0);
  });

  test("Ctrl-C lets running files finish, says how to go on, and the next start does", async () => {
    const out = join(folder, "d");
    const { child, end } = start(tree, out);
    await untilChunks(out, 1, child);
    child.kill("SIGINT");
    const interrupted = await end;
    expect(interrupted.code, interrupted.said).toBe(130);
    expect(interrupted.said).toContain("start again with the same options to go on");
    const next = await start(tree, out).end;
    expect(next.code, next.said).toBe(0);
    expect(next.said).toContain("resuming: ");
    expect(reportsIn(out)).toEqual(reportsIn(peaceful));
  });

  test.each([
    [["--conurrency", "4"], "--conurrency"],
    [["--concurrency", "many"], "--concurrency: expected an integer 1…256"],
    [["--dir", "/nowhere/at/all"], "is not a folder"],
    [["--store", "mysql://localhost"], "mysql://localhost"],
  ])("%j is refused with code 2 and a reason", async (args, reason) => {
    const { code, said } = await start(tree, join(folder, "e"), ...args).end;
    expect([code, said]).toEqual([2, expect.stringContaining(reason)]);
  });
});

/** The ids recorded in a run's folder; those of before if it is gone already. */
function idsIn(out: string, before: string[]): string[] {
  const run = join(out, "run");
  const names = existsSync(run) ? readdirSync(run).filter((name) => /^\d+\.json$/.test(name)) : [];
  const found = names.flatMap((name) => JSON.parse(readFileSync(join(run, name), "utf8")) as string[]);
  return found.length > 0 ? found : before;
}

/** The store itself: every Operation recorded before the last life has completed, and nothing is left over. */
async function inspectStore(store: string, ids: readonly string[]): Promise<void> {
  expect(new Set(ids).size).toBe(ids.length);
  await using app = new App({ id: "index-files", store: `embedded:${store}` });
  const states = await Promise.all(ids.map(async (id) => (await app.handle(id).status()).state));
  expect(states.filter((state) => state !== "completed")).toEqual([]);
  const dead: string[] = [];
  for await (const letter of app.queue("async").dead()) dead.push(letter.id);
  expect(dead).toEqual([]);
  expect(await app.queue("async").counts()).toMatchObject({ ready: 0 });
}

/** The decision log: whole lines, bounded files, and no harm when the disk refuses. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type Logger, silentLogger } from "../base/log.js";
import type { Decision } from "./mix/decision.js";
import { MixLog } from "./mix-log.js";

const folders: string[] = [];

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-mix-log-"));
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

// The log writes what it is given; what a decision holds is decision.ts' matter.
const decision = (reason: string) => ({ timestamp: "2026-01-01T00:00:00.000Z", payload: { reason } }) as Decision;

it("writes one JSON line for each decision, in order", async () => {
  const path = join(freshFolder(), "worker_mix.log");
  const log = new MixLog({ path, log: silentLogger });
  for (let i = 0; i < 50; i++) log.write(decision(`number ${i}`));
  await log.flush();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).payload.reason)).toEqual(
    Array.from({ length: 50 }, (_, i) => `number ${i}`),
  );
});

it("rotates by size, goes on in a file that was there, and keeps so many files", async () => {
  const folder = freshFolder();
  const path = join(folder, "worker_mix.log");
  writeFileSync(path, `${"x".repeat(900)}\n`);
  const log = new MixLog({ path, log: silentLogger, bytesMax: 1_000, files: 4 });
  for (let i = 0; i < 60; i++) {
    log.write(decision(`number ${i} ${"y".repeat(100)}`));
    await log.flush();
  }
  expect(readdirSync(folder).sort()).toEqual([
    "worker_mix.log",
    "worker_mix.log.1",
    "worker_mix.log.2",
    "worker_mix.log.3",
  ]);
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).size).toBeLessThanOrEqual(1_000);
  expect(readFileSync(path, "utf8")).toContain("number 59");
  expect(readFileSync(`${path}.3`, "utf8")).not.toContain("x".repeat(900));
});

it("a disk that refuses costs lines and one warning, and writing goes on when it takes them again", async () => {
  const folder = freshFolder();
  const path = join(folder, "missing", "worker_mix.log");
  const warnings: string[] = [];
  let lost = 0;
  const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) };
  const log = new MixLog({ path, log: logger, lost: () => lost++ });
  for (let i = 0; i < 3; i++) {
    log.write(decision("lost"));
    await log.flush();
  }
  expect({ lost, warnings }).toEqual({ lost: 3, warnings: ["the mix log cannot be written"] });
  mkdirSync(join(folder, "missing"));
  log.write(decision("kept"));
  await log.flush();
  expect(readFileSync(path, "utf8")).toContain("kept");
});

it("holds a bounded number of lines in memory", async () => {
  const path = join(freshFolder(), "worker_mix.log");
  let lost = 0;
  const log = new MixLog({ path, log: silentLogger, lost: () => lost++ });
  for (let i = 0; i < 5_000; i++) log.write(decision("many"));
  await log.flush();
  const written = readFileSync(path, "utf8").trimEnd().split("\n").length;
  expect(written + lost).toBe(5_000);
  expect(lost).toBeGreaterThan(3_000);
});

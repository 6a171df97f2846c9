import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMillraceError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lockNode } from "./node-lock.js";

const NAME = { app: "shop", node: "web-1", store: "redis://localhost:6379/0" };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-lock-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const lock = (changes: Partial<typeof NAME> = {}) => lockNode({ ...NAME, ...changes }, folder);
const pathOfLock = () => join(folder, readdirSync(folder).find((name) => name.endsWith(".lock")) ?? "none");

/** Puts another owner into the lock's entry. */
function rewrite(change: (entry: Record<string, unknown>) => unknown): void {
  const path = pathOfLock();
  const entry = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>; // our own
  writeFileSync(path, JSON.stringify(change(entry)));
}

describe("the lock of a Node", () => {
  test("is refused while its owner lives, naming it", () => {
    lock();
    let refused: unknown;
    try {
      lock();
    } catch (error) {
      refused = error;
    }
    expect(isMillraceError(refused, "MR_FOREMAN_RUNNING") && refused.message).toContain(`process ${process.pid}`);
  });

  test("can be taken again when it was let go, and letting go twice harms nobody", () => {
    const first = lock();
    first.release();
    const second = lock();
    first.release();
    expect(() => lock()).toThrow(/MR_|Foreman on this host/);
    second.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ["another Node", { node: "web-2" }],
    ["another App", { app: "mail" }],
    ["another store", { store: "redis://localhost:6379/1" }],
  ])("is not that of %s", (_, changes) => {
    lock();
    lock(changes);
  });

  test("is taken from a process that is gone", () => {
    lock();
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    rewrite((entry) => ({ ...entry, pid, began: null }));
    lock();
  });

  test.runIf(process.platform === "linux")("is taken from a process that has only inherited the number", () => {
    lock();
    rewrite((entry) => ({ ...entry, began: "another life of the machine:1" }));
    lock();
  });

  test("is taken from an entry that nobody can have written", () => {
    lock();
    writeFileSync(pathOfLock(), "{");
    lock();
    expect(readdirSync(folder)).toHaveLength(1);
  });
});

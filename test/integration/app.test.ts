/** Every sentence of the App suite, on every store. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { appSuite } from "./app.suite.js";

const folders: string[] = [];
afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "millrace-app-"));
  folders.push(made);
  return made;
}

let apps = 0;

appSuite("the memory store", { isShared: false, fresh: () => ({ store: "memory:" }) });
appSuite("the embedded store", {
  isShared: false,
  fresh: async () => ({ store: `embedded:${await folder()}` }),
});
appSuite("the embedded store, flushed", {
  isShared: false,
  fresh: async () => ({ store: `embedded:${await folder()}`, durability: "flushed" }),
});
appSuite("Redis", {
  isShared: true,
  fresh: () => ({ store: process.env.MILLRACE_REDIS_URL ?? "", id: `app-${process.pid}-${apps++}` }),
});

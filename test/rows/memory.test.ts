/** The row of the memory store: what it alone promises. That it does what the others do is the conformance suite's part. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { stage } from "./stage.js";

const open = stage();
const home = process.cwd();
afterEach(() => process.chdir(home));

it("F11: the memory store leaves no file behind, and is each App's own", async () => {
  const folder = await mkdtemp(join(tmpdir(), "millrace-memory-"));
  process.chdir(folder);
  const [one, two] = [open({ store: "memory:" }), open({ store: "memory:" })];
  const work = one.step("work", async (n: number) => n * 2);
  two.step("work", async (n: number) => n * 3);
  const kept = await work.enqueue(1, { delay: "1h" });
  await one.start();
  expect(await one.run(work, 4)).toBe(8);
  expect((await kept.status()).state).toBe("scheduled");
  await expect(two.handle(kept.id).status()).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
  await Promise.all([one.close(), two.close()]);
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

/** Bugs that other queues paid for with a store in their own process: the regression list's part about LMDB. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { App } from "@millrace/core";
import { expect, it } from "vitest";
import { everyPlace } from "../helper/places.js";

const place = everyPlace("paid-lmdb").find(({ name }) => name === "embedded");

/** Another process that opens the same directory and enqueues. */
const intruder = `
import { App } from "@millrace/core";
const app = new App({ store: process.argv[1], nodeId: "intruder" });
app.step("work", async (n) => n);
const said = await app.enqueue("work", 2).then(() => "taken", (error) => error.code);
process.stdout.write(said);
process.exit(0);
`;

it("regression: LMDB is opened twice", async () => {
  const { store = "" } = (await place?.fresh()) ?? {};
  const app = new App({ store, nodeId: "web-1" });
  const work = app.step("work", async (n: number) => n);
  await app.start();
  expect(await app.run(work, 1)).toBe(1);
  // A second one in this process, and one in another: refused, and the first goes on.
  const second = new App({ store, nodeId: "web-2" });
  second.step("work", async (n: number) => n);
  await expect(second.enqueue("work", 3)).rejects.toMatchObject({ code: "MR_STORE_LOCKED" });
  await second.close();
  const child = spawn(process.execPath, ["--input-type=module", "-e", intruder, "--", String(store)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await once(child, "close");
  expect(said).toBe("MR_STORE_LOCKED");
  expect(await app.run(work, 4)).toBe(4);
  // Closed, it is free again.
  await app.close();
  const next = new App({ store, nodeId: "web-1" });
  const again = next.step("work", async (n: number) => n);
  await next.start();
  expect(await next.run(again, 5)).toBe(5);
  await next.close();
});

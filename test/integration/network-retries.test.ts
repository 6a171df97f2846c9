/**
 * The option `network.retries` against a real server behind a proxy that cuts: every call of a user has so many repeats,
 * each of them harmless if the call before it arrived.
 */
import { App } from "@millrace/core";
import { afterEach, expect, it } from "vitest";
import { startProxy } from "../helper/tcp-proxy.js";
import { within } from "../helper/wait.js";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A client whose way to the server leads through a proxy. */
async function setUp(retries: number) {
  const url = new URL(process.env.MILLRACE_REDIS_URL ?? "");
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
  ends.push(() => proxy.close());
  url.host = `127.0.0.1:${proxy.port}`;
  const id = `retries-${process.pid}-${retries}-${ends.length}`;
  const app = new App({ id, store: url.href, nodeId: "n", network: { retries, retryDelay: "500ms" } });
  ends.push(() => app.close());
  const echo = app.step("echo", async (text: string) => text);
  await echo.enqueue("opens the lane");
  return { app, echo, proxy };
}

async function ready(app: App): Promise<number> {
  return (await app.queue("async").counts()).ready;
}

it("B36: a proxy cuts three calls in a row: the fourth succeeds, and the Operation is there once", async () => {
  const { app, echo, proxy } = await setUp(3);
  proxy.hurt("up", { cutAnswersTo: { text: "cut three times", times: 3 } });
  const handle = await within(echo.enqueue("cut three times"), "the enqueue");
  expect(proxy.cuts).toBe(3);
  expect(app.metrics().resends).toBe(3);
  expect((await handle.status()).state).toBe("ready");
  expect(await ready(app)).toBe(2);
});

it("B36: a fourth cut throws the last error with the id under which to look", async () => {
  const { app, echo, proxy } = await setUp(2);
  proxy.hurt("up", { cutAnswersTo: { text: "cut too often", times: 3 } });
  const failure = (await within(
    echo.enqueue("cut too often").catch((error: unknown) => error),
    "the enqueue",
  )) as { code: string; details: { id: string } };
  expect(failure.code).toBe("MR_INDETERMINATE");
  expect(proxy.cuts).toBe(3);
  expect((await app.handle(failure.details.id).status()).state).toBe("ready");
  expect(await ready(app)).toBe(2);
});

/**
 * The option `network.retries` against a real server behind a proxy that cuts: every call of a user has so many repeats,
 * each of them harmless if the call before it arrived.
 */
import { App } from "@millrace/core";
import { FOREMAN_VIEW } from "@millrace/core/internal";
import { afterEach, expect, it } from "vitest";
import { startProxy, type TcpProxy } from "../helper/tcp-proxy.js";
import { poll, within } from "../helper/wait.js";

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
  const app = new App({ id, store: url.href, nodeId: "n", network: { retries, retryDelay: "300ms" } });
  ends.push(() => app.close());
  const echo = app.step("echo", async (text: string) => text);
  await echo.enqueue("opens the lane");
  const { store } = await app[FOREMAN_VIEW]();
  const whole = proxy.open;
  // All connections are back, and have said all they say when they are: the next bytes are an answer to a call.
  const back = async (): Promise<void> => {
    await store.ready();
    let before = -1;
    const isQuiet = async () => {
      const now = proxy.passed.down + proxy.passed.up;
      const isSame = proxy.open === whole && now === before;
      before = now;
      return isSame ? true : null;
    };
    await poll(isQuiet, "quiet connections");
  };
  return { app, echo, proxy, back };
}

/** Cuts so many calls at the first byte of their answers: the server has done what they ask. */
async function cutAnswers(proxy: TcpProxy, back: () => Promise<void>, cuts: number): Promise<void> {
  for (let cut = 0; cut < cuts; cut++) {
    const isCut = proxy.nextCut();
    proxy.hurt("down", { cutAfterBytes: 0 });
    await within(isCut, `cut ${cut + 1}`);
    await back();
  }
}

async function ready(app: App): Promise<number> {
  return (await app.queue("async").counts()).ready;
}

it("B36: a proxy cuts three calls in a row: the fourth succeeds, and the Operation is there once", async () => {
  const { app, echo, proxy, back } = await setUp(3);
  await back();
  const cutting = cutAnswers(proxy, back, 3);
  const handle = await within(echo.enqueue("cut three times"), "the enqueue");
  await cutting;
  expect(proxy.cuts).toBe(3);
  expect(app.metrics().resends).toBe(3);
  expect((await handle.status()).state).toBe("ready");
  expect(await ready(app)).toBe(2);
});

it("B36: a fourth cut throws the last error with the id under which to look", async () => {
  const { app, echo, proxy, back } = await setUp(2);
  await back();
  const cutting = cutAnswers(proxy, back, 3);
  const failure = (await within(
    echo.enqueue("cut too often").catch((error: unknown) => error),
    "the enqueue",
  )) as { code: string; details: { id: string } };
  expect(failure.code).toBe("MR_INDETERMINATE");
  await cutting;
  expect((await app.handle(failure.details.id).status()).state).toBe("ready");
  expect(await poll(async () => ((await ready(app)) === 2 ? true : null), "both Operations")).toBe(true);
});

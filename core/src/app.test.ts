/** The App's own life, where it needs no store but memory; what it does on every store is test/integration/app.suite.ts. */
import { expect, it } from "vitest";
import { App, type AppState } from "./app.js";
import { type LogFields, type Logger, silentLogger } from "./base/log.js";

it("F1: an App is stopped by the end of its block, also when that end is an error", async () => {
  const states: AppState[] = [];
  const apps: App[] = [];
  const block = async (): Promise<void> => {
    await using app = new App({ store: "memory:", nodeId: "test" });
    apps.push(app);
    const echo = app.step("echo", async (text: string) => text);
    states.push(app.state);
    await app.start();
    await app.start();
    states.push(app.state);
    throw new Error(await app.run(echo, "inside"));
  };
  await expect(block()).rejects.toThrow("inside");
  states.push(...apps.map(({ state }) => state));
  expect(states).toEqual(["new", "started", "closed"]);
});

it("X13: the function of a key is asked once for each enqueue, by whatever way that comes", async () => {
  await using app = new App({ store: "memory:", nodeId: "web-1" });
  const asked: string[] = [];
  const key = (name: string): string => {
    asked.push(name);
    return `${name}-${asked.length}`;
  };
  const once = app.step("once", { dedupe: { key } }, async (name: string) => name);
  const late = app.step("late", { debounce: { wait: "1h", key } }, async (name: string) => name);
  const plain = app.step("plain", async (name: string) => name);
  const handle = await app.enqueue(once, "a");
  await app.enqueue(once, "own", { idempotencyKey: "own" });
  await app.enqueueMany(once, ["b", "c"]);
  await app.enqueue(once, "d", { durability: "memory" });
  await app.enqueue(late, "e");
  await app.enqueue(plain, "f");
  expect(asked).toEqual(["a", "b", "c", "d", "e"]);
  const listed = (await app.inspect.list({ state: "ready" })).operations;
  expect(listed.find(({ id }) => id === handle.id)?.key).toBe("a-1");
});

it("F2: warns of a Step declared after the start in a Queue that nobody here claims from, and of no other", async () => {
  const warned: LogFields[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warned.push(fields), child: () => logger };
  await using app = new App({ store: "memory:", nodeId: "web-1", logger });
  app.step("early", async () => null);
  await app.start();
  app.step("beside", async () => null);
  app.step("apart", { queue: "elsewhere" }, async () => null);
  expect(warned).toEqual([{ step: "apart", queue: "elsewhere" }]);
});

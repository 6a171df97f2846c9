/** The App's own life, where it needs no store but memory; what it does on every store is test/integration/app.suite.ts. */
import { expect, it } from "vitest";
import { App, type AppState } from "./app.js";

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

/**
 * A Segment whose Node is gone is like any other to the Foremen that are left: claimed from, promoted, rescued, pruned.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { App, type LogFields, type Logger } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { openTestRedis } from "../helper/redis.js";
import { poll, within } from "../helper/wait.js";

interface Told {
  readonly held: string;
  readonly ready: readonly string[];
  readonly delayed: string;
}

/** Runs the program until it has filled its Segment, then kills it. */
async function leaveWork(store: string, app: string, node: string): Promise<Told> {
  const script = fileURLToPath(new URL("../dist/integration/orphans-program.js", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify({ store, app, node })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [line] = (await within(once(createInterface({ input: child.stdout }), "line"), "its word", 20_000)) as [string]; // a line
  child.kill("SIGKILL");
  await ended;
  return JSON.parse(line) as Told; // written by orphans-program.ts
}

function loggerInto(lines: { fields: LogFields; message: string }[]): Logger {
  const tell = (fields: LogFields, message: string) => void lines.push({ fields, message });
  const logger: Logger = { debug: () => {}, info: () => {}, warn: tell, error: tell, child: () => logger };
  return logger;
}

describe("a Segment whose Node was killed", () => {
  it("regression: orphans wait for minutes: a living Node works off, promotes, rescues and prunes a dead one's Segment", async () => {
    await using redis = await openTestRedis();
    const told = await leaveWork(redis.url, redis.app, "dead-1");
    const lines: { fields: LogFields; message: string }[] = [];
    await using app = new App({ id: redis.app, store: redis.url, nodeId: "live-1", logger: loggerInto(lines) });
    app.step("quick", { retain: { completed: "1s" } }, async (n: number) => n);
    app.step("held", async () => "taken over");
    await app.start();
    const results = Promise.all(told.ready.map((id) => app.handle<number>(id).result()));
    expect(await within(results, "what was ready", 3_000)).toEqual([1, 2, 3]);
    expect(await within(app.handle(told.delayed).result(), "what was delayed", 5_000)).toBe(4);
    expect(await within(app.handle(told.held).result(), "what it held", 25_000)).toBe("taken over");
    await poll(() => (app.metrics().segmentsAdopted === 1 ? true : null), "its adoption", 15_000);
    const [first = ""] = told.ready;
    await poll(
      async () => {
        const state = await app
          .handle(first)
          .status()
          .then(
            (view) => view.state,
            (error: { code?: string }) => error.code,
          );
        return state === "MR_PRUNED" ? true : null;
      },
      "the end of retention",
      25_000,
    );
  }, 90_000);
});

import { EventEmitter } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "@millrace/core";
import { silentLogger } from "@millrace/core/internal";
import { backoffMs, type Notifier, type SupervisorOptions, supervise } from "@millrace/server/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/**
 * Stands for a Foreman: says who it is, keeps a diary of each of its lives, then does what the test wrote. `life` is 1
 * in the first one.
 */
const PROGRAM = `
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { spawn } from "node:child_process";
const [diary, ...words] = process.argv.slice(2);
const past = existsSync(diary) ? readFileSync(diary, "utf8").trim().split("\\n").map((line) => JSON.parse(line)) : [];
const life = past.filter(({ type }) => type === "began").length + 1;
const note = (type, fields = {}) => appendFileSync(diary, JSON.stringify({ type, life, pid: process.pid, ...fields }) + "\\n");
const tell = (message) => new Promise((told) => process.send(message, told));
const never = () => new Promise(() => setInterval(() => process.send({ type: "beat" }), 100));
const told = () => new Promise((heard) => process.on("message", heard));
note("began", { words });
await tell({ type: "estate", estate: { app: "a", store: "memory:", owner: "owner-" + life } });
`;

let folder: string;
let signals: EventEmitter;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-supervisor-"));
  signals = new EventEmitter();
  said = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Note {
  readonly type: string;
  readonly life: number;
  readonly pid: number;
  readonly words?: readonly string[];
  readonly isGone?: boolean;
}

function diary(): Note[] {
  const text = readFileSync(join(folder, "diary"), "utf8").trim();
  return text.split("\n").map((line) => JSON.parse(line) as Note);
}

function start(behaviour: string, changes: Partial<SupervisorOptions> = {}): Promise<number> {
  const program = join(folder, "program.mjs");
  writeFileSync(program, PROGRAM + behaviour);
  const notifier: Notifier = {
    ready: () => said.push("ready"),
    stopping: () => said.push("stopping"),
    reloading: () => said.push("reloading"),
    alive: () => undefined,
  };
  return supervise({
    program,
    argv: [join(folder, "diary"), "foreman", "app.js"],
    env: process.env,
    cwd: folder,
    silenceMs: 5_000,
    stopMs: 5_000,
    buriedMs: 30_000,
    log: silentLogger,
    notifier,
    signals,
    ...changes,
  });
}

/** Resolves when the child has written a note of this type; asks again and again, as it is another process. */
async function noted(type: string, life = 1): Promise<void> {
  const deadlineMs = performance.now() + 8_000;
  for (;;) {
    try {
      if (diary().some((note) => note.type === type && note.life === life)) return;
    } catch {
      // No diary yet.
    }
    if (performance.now() > deadlineMs) throw new Error(`the child did not note ${type} in life ${life}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("the supervisor", () => {
  test.each([
    ["cleanly", "await tell({ type: 'ready' }); process.exit(0);", 0],
    ["with a usage error", "await tell({ type: 'ready' }); process.exit(2);", 2],
    ["before it was ever ready", "process.exit(6);", 6],
  ])("ends with the code of a Foreman that ended %s", async (_, behaviour, code) => {
    expect(await start(behaviour)).toBe(code);
    expect(diary().filter(({ type }) => type === "began")).toHaveLength(1);
  });

  test("starts a Foreman that crashed again at once, and names every dead one to the next", async () => {
    const code = await start(`
      await tell({ type: "ready" });
      if (life === 1) process.exit(70);
      if (life === 2) process.kill(process.pid, "SIGKILL");
      process.exit(0);
    `);
    expect(code).toBe(0);
    const words = diary().map((note) => note.words?.slice(2).join(" "));
    expect(words).toEqual([
      "--supervised",
      "--supervised --buried owner-1",
      "--supervised --buried owner-1 --buried owner-2",
    ]);
    expect(said).toContain("ready");
  });

  test("starts a Foreman again that a signal ended before it was ready: nobody asked it to end", async () => {
    expect(await start(`if (life === 1) process.kill(process.pid, "SIGKILL"); process.exit(0);`)).toBe(0);
    expect(diary()).toHaveLength(2);
  });

  test("forgets the dead when the ordinary rescue has happened", async () => {
    const behaviour = `await tell({ type: "ready" }); if (life === 1) process.exit(70); process.exit(0);`;
    await start(behaviour, { buriedMs: 0 });
    expect(diary()[1]?.words?.slice(2)).toEqual(["--supervised"]);
  });

  test("adds its flags before a `--`", async () => {
    const argv = [join(folder, "diary"), "foreman", "--", "app.js"];
    expect(await start("process.exit(0);", { argv })).toBe(0);
    expect(diary()[0]?.words).toEqual(["foreman", "--supervised", "--", "app.js"]);
  });

  test("waits longer before each start while Foremen die young, up to half a minute", () => {
    expect([0, 1, 2, 3, 4, 9, 10, 100].map(backoffMs)).toEqual([0, 0, 200, 400, 800, 25_600, 30_000, 30_000]);
  });

  test("passes the first signal on as a graceful stop and ends with the Foreman's code", async () => {
    const ended = start(`
      await tell({ type: "ready" });
      const waiting = told();
      note("listening");
      note("told", await waiting);
      process.exit(0);
    `);
    await noted("listening");
    signals.emit("SIGTERM", "SIGTERM");
    expect(await ended).toBe(0);
    expect(diary().at(-1)).toMatchObject({ type: "stop", signal: "SIGTERM", isNow: false });
    expect(said).toEqual(["ready", "stopping"]);
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ])("passes a second %s on as a stop at once and ends with %i", async (signal, code) => {
    const ended = start(`
      await tell({ type: "ready" });
      process.on("message", (message) => {
        note(message.isNow ? "now" : "first");
        if (message.isNow) process.exit(0);
      });
      note("listening");
      await never();
    `);
    await noted("listening");
    signals.emit(signal, signal);
    await noted("first");
    signals.emit(signal, signal);
    expect(await ended).toBe(code);
  });

  test("kills a Foreman that does not stop in time", async () => {
    const ended = start(`await tell({ type: "ready" }); note("listening"); await never();`, { stopMs: 200 });
    await noted("listening");
    signals.emit("SIGTERM", "SIGTERM");
    expect(await ended).toBe(137);
  });

  test("passes SIGHUP on", async () => {
    const ended = start(`const waiting = told(); note("listening"); note("told", await waiting); process.exit(0);`);
    await noted("listening");
    signals.emit("SIGHUP", "SIGHUP");
    await ended;
    expect(diary().at(-1)).toMatchObject({ type: "reload" });
  });

  test("kills a Foreman whose loop stands still, and starts another", async () => {
    const behaviour = `
      await tell({ type: "ready" });
      await tell({ type: "beat" });
      if (life === 1) for (;;);
      process.exit(0);
    `;
    expect(await start(behaviour, { silenceMs: 300 })).toBe(0);
    expect(diary().map(({ life }) => life)).toEqual([1, 2]);
  });

  test("lets a Foreman stand still that it was told not to watch", async () => {
    const behaviour = `
      await tell({ type: "ready" });
      await tell({ type: "beat" });
      for (const untilMs = Date.now() + 1_500; Date.now() < untilMs; );
      process.exit(0);
    `;
    expect(await start(behaviour, { silenceMs: null })).toBe(0);
    expect(diary()).toHaveLength(1);
  });

  test("kills what a dead Foreman had started before it starts the next", async () => {
    const code = await start(`
      await tell({ type: "ready" });
      if (life === 1) {
        const orphan = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
        note("spawned", { orphan: orphan.pid });
        process.kill(process.pid, "SIGKILL");
      }
      const { orphan } = past.find(({ type }) => type === "spawned");
      let state = "gone";
      try {
        // One that nobody has collected yet is dead all the same.
        state = readFileSync("/proc/" + orphan + "/stat", "utf8").split(") ")[1][0];
      } catch {}
      note("looked", { isGone: state === "gone" || state === "Z" });
      process.exit(0);
    `);
    expect(code).toBe(0);
    expect(diary().at(-1)).toMatchObject({ type: "looked", isGone: true });
  });

  test("ends at once when it is told to while no Foreman lives", async () => {
    const log: Logger = {
      ...silentLogger,
      error: (fields) => {
        if (Number(fields.restartInMs) > 0) queueMicrotask(() => signals.emit("SIGTERM", "SIGTERM"));
      },
    };
    expect(await start(`await tell({ type: "ready" }); process.exit(70);`, { log })).toBe(0);
    expect(diary().filter(({ type }) => type === "began")).toHaveLength(2);
  });
});

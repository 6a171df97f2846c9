/**
 * `millrace foreman` end to end, as a process manager and a user see it: ready, work from another process, a clean end,
 * a crash under its supervisor, a second signal, probes, settings read again.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "@millrace/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Millrace, millrace } from "../../helper/millrace.js";
import { openTestRedis, type TestRedis } from "../../helper/redis.js";
import { poll } from "../../helper/wait.js";

const MODULE = join(import.meta.dirname, "app.mjs");

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "millrace-foreman-"));
});
afterAll(() => {
  rmSync(cwd, { recursive: true, force: true });
});

/** A Foreman with few Workers, so that many can start on a small machine. */
function foreman(store: string, app: string, args: readonly string[] = [], env: Record<string, string> = {}): Millrace {
  const few = ["--async-workers", "1", "--blocking-workers", "1", "--health-port", "0", "--log-format", "json"];
  // Locks of their own: tests that run beside each other bear the same Node's name.
  const own = { TEST_APP: app, XDG_RUNTIME_DIR: cwd };
  return new Millrace(["foreman", MODULE, "--store", store, ...few, ...args], { cwd, env: { ...own, ...env } });
}

/** An App that only submits, under the same name. */
function client(redis: TestRedis): App {
  const app = new App({ id: redis.app, store: redis.url, nodeId: "client" });
  for (const [name, queue] of Object.entries({ greet: "async", count: "blocking", hold: "async" })) {
    app.step(name, { queue }, () => undefined);
  }
  return app;
}

interface Held {
  readonly attempt: number;
  readonly pid: number;
}

/** Resolves when a `hold` Step has said that it runs. */
async function held(file: string): Promise<Held> {
  const read = () => {
    if (!existsSync(file)) return null;
    const text = readFileSync(file, "utf8");
    return text === "" ? null : (JSON.parse(text) as Held);
  };
  return await poll(read, `${file} by a Step`, 20_000);
}

const numberOf = (record: Readonly<Record<string, unknown>>, key: string): number => Number(record[key]);

describe("millrace foreman", () => {
  it("F28: runs on Redis what another process enqueues, on async and blocking Workers, and ends cleanly", async () => {
    await using redis = await openTestRedis();
    await using running = foreman(redis.url, redis.app, ["--node-id", "web-1"]);
    const ready = await running.ready();
    expect(ready).toMatchObject({
      level: "INFO",
      target: "foreman",
      app_id: redis.app,
      node_id: "web-1",
      workers: { async: 1, blocking: 1 },
      incarnation: expect.any(String),
      timestamp: expect.stringMatching(/Z$/),
    });
    const line1 = `millrace: ready: App ${redis.app} on Node web-1`;
    await poll(() => (running.stdout.includes(line1) ? true : null), "the ready line on standard output");
    const at = ["--store", redis.url, "--app", redis.app, "--wait", "--timeout", "20s"];
    const [greeted, counted, failed] = await Promise.all([
      millrace(["enqueue", "greet", '{"name":"Ann"}', ...at], { cwd }),
      millrace(["enqueue", "count", '{"upTo":10}', "--queue", "blocking", "--json", ...at], { cwd }),
      millrace(["enqueue", "fail", ...at], { cwd }),
    ]);
    expect(greeted).toMatchObject({ code: 0, stdout: '"Hello, Ann"\n' });
    expect(JSON.parse(counted.stdout)).toMatchObject({ state: "completed", result: 55 });
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stderr).toContain("as it was told to");
    const line = await running.logged("greeting");
    expect(line).toMatchObject({ target: "worker", worker_id: "async-1", step: "greet", attempt: 1, name: "Ann" });
    expect(line.operation_id).toEqual(expect.stringContaining("."));
    running.signal("SIGTERM");
    expect(await running.ended()).toMatchObject({ code: 0 });
    expect(running.log().at(-1)).toMatchObject({ message: "stopped", released: 0, is_forced: false });
  });

  it("runs on the embedded store, and finds there what was left at its last end", async () => {
    const store = `embedded:${join(cwd, "store")}`;
    const kept = await millrace(["enqueue", "greet", '{"name":"Bob"}', "--store", store, "--app", "kept"], { cwd });
    expect(kept.code).toBe(0);
    await using running = foreman(store, "kept");
    await running.ready();
    expect(await running.logged("greeting")).toMatchObject({ operation_id: kept.stdout.trim() });
    const refused = await millrace(["enqueue", "greet", "--store", store, "--app", "kept"], { cwd });
    expect(refused).toMatchObject({ code: 5, stdout: "" });
    expect(refused.stderr).toContain("MR_STORE_LOCKED");
    running.signal("SIGINT");
    expect(await running.ended()).toMatchObject({ code: 0 });
  });

  it("lets running work finish when it is told to stop, and gives back what has not begun", async () => {
    await using redis = await openTestRedis();
    await using app = client(redis);
    const files = Array.from({ length: 40 }, (_, i) => join(cwd, `finishing-${i}`));
    await using running = foreman(redis.url, redis.app, ["--slots", "1"]);
    await running.ready();
    const inputs = files.map((file) => ({ file, ms: 800 }));
    const handles = await Promise.all(inputs.map((input) => app.enqueue("hold", input)));
    await held(files[0] ?? "");
    running.signal("SIGTERM");
    expect(await running.ended()).toMatchObject({ code: 0 });
    const ends = await Promise.all(handles.map((handle) => handle.status()));
    for (const [i, { state, attempt }] of ends.entries()) {
      const began = existsSync(files[i] ?? "");
      expect({ state, attempt }).toEqual(began ? { state: "completed", attempt: 1 } : { state: "ready", attempt: 0 });
    }
    expect(ends.filter(({ state }) => state === "ready").length).toBeGreaterThan(20);
  });

  it("gives everything back at a second signal, no Attempt spent, and ends with 143", async () => {
    await using redis = await openTestRedis();
    await using app = client(redis);
    const file = join(cwd, "forced");
    await using running = foreman(redis.url, redis.app);
    await running.ready();
    const handle = await app.enqueue("hold", { file, ms: 60_000 });
    expect(await held(file)).toMatchObject({ attempt: 1 });
    running.signal("SIGTERM");
    await running.logged("told to stop");
    running.signal("SIGTERM");
    expect(await running.ended()).toMatchObject({ code: 143 });
    expect(await handle.status()).toMatchObject({ state: "ready", attempt: 0 });
  });

  it("is started again at once when it is killed, and does not wait for the Lease of the dead one", async () => {
    await using redis = await openTestRedis();
    await using app = client(redis);
    const file = join(cwd, "killed");
    // A Lease far longer than the test: only the word of the supervisor can bring the work back.
    const lease = ["--foreman-lease-ms", "120000"];
    await using running = foreman(redis.url, redis.app, lease);
    const first = await running.ready();
    const handle = await app.enqueue("hold", { file, ms: 60_000 });
    await held(file);
    rmSync(file);
    process.kill(numberOf(first, "pid"), "SIGKILL");
    const died = await running.logged("the Foreman died and is started again");
    expect(died).toMatchObject({ signal: "SIGKILL", restart_in_ms: 0, incarnation: first.incarnation });
    // The supervisor does not wait for the next Foreman: any other could run the work now.
    const rescue = await running.logged("took back what it held");
    expect(rescue).toMatchObject({ rescued: 1, incarnation: first.incarnation });
    expect(await held(file)).toMatchObject({ attempt: 1 });
    const second = await running.ready(running.log().indexOf(died));
    expect(second.incarnation).not.toBe(first.incarnation);
    await handle.cancel();
    running.signal("SIGTERM");
    expect(await running.ended()).toMatchObject({ code: 0 });
  });

  it("B13: is refused beside another of the same name on this host, and naming it otherwise helps", async () => {
    await using redis = await openTestRedis();
    await using running = foreman(redis.url, redis.app, ["--node-id", "twin"]);
    await running.ready();
    const twin = await foreman(redis.url, redis.app, ["--node-id", "twin"]).ended();
    expect(twin).toMatchObject({ code: 5, stdout: "" });
    expect(twin.stderr).toContain("MR_FOREMAN_RUNNING");
    await using other = foreman(redis.url, redis.app, ["--node-id", "other", "--no-supervise"]);
    await other.ready();
  });

  it("answers probes and scrapes", async () => {
    await using redis = await openTestRedis();
    await using app = client(redis);
    await using running = foreman(redis.url, redis.app);
    const ready = await running.ready();
    await app.run("greet", { name: "Ann" });
    const url = String(ready.health);
    const live = await fetch(`${url}/health/live`);
    expect(live.status).toBe(200);
    const probe = await fetch(`${url}/health/ready`);
    expect([probe.status, await probe.json()]).toMatchObject([
      200,
      { ready: true, phase: "ready", store: { reachable: true }, workers: { ready: 2, all: 2 } },
    ]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const app_ = `app="${redis.app}"`;
    expect(metrics).toContain(`millrace_operations_started_total{${app_}} 1`);
    expect(metrics).toContain(`millrace_operations_finished_total{${app_},state="completed"} 1`);
    expect(metrics).toMatch(/millrace_workers\{kind="async",state="open"\} 1/);
    expect(metrics).toMatch(/millrace_slots\{kind="async",status="total"\} 8/);
    expect(metrics).toMatch(/^process_cpu_seconds_total /m);
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
    expect((await fetch(`${url}/health/live`, { method: "POST" })).status).toBe(405);
  });

  it("is alive and not ready while its store is away", async () => {
    await using redis = await openTestRedis();
    const { startProxy } = await import("../../helper/tcp-proxy.js");
    await using proxy = await startProxy({ port: Number(new URL(redis.url).port) });
    await using running = foreman(`redis://127.0.0.1:${proxy.port}`, redis.app);
    const url = String((await running.ready()).health);
    proxy.refuse(true);
    proxy.cutAll();
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    proxy.refuse(false);
    await poll(async () => ((await fetch(`${url}/health/ready`)).status === 200 ? true : null), "readiness", 20_000);
  });

  it("B16: takes new settings at SIGHUP, says which need a restart, and keeps the old ones if they are wrong", async () => {
    await using redis = await openTestRedis();
    const file = join(cwd, "reload.yaml");
    writeFileSync(file, "log:\n  level: info\n");
    const args = ["--config", file, "--store", redis.url, "--health-port", "0", "--log-format", "json"];
    await using running = new Millrace(["foreman", MODULE, ...args], {
      cwd,
      env: { TEST_APP: redis.app, XDG_RUNTIME_DIR: cwd },
    });
    expect(await running.ready()).toMatchObject({ workers: { async: 4, blocking: 2 } });
    writeFileSync(file, "log:\n  level: debug\nworkers:\n  async_workers: 5\n  blocking_workers: 1\nnode_id: other\n");
    running.signal("SIGHUP");
    expect(await running.logged("settings read again")).toMatchObject({
      changed: ["workers.async_workers", "workers.blocking_workers", "log.level"],
    });
    expect(await running.logged("restart required: a running Foreman keeps the old values of these")).toMatchObject({
      keys: ["node_id"],
    });
    const url = String((await running.ready()).health);
    const crew = async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return /kind="async",state="open"\} 5/.test(metrics) && /kind="blocking",state="open"\} 1/.test(metrics)
        ? true
        : null;
    };
    await poll(crew, "the new crew", 20_000);
    writeFileSync(file, "log:\n  level: loud\n");
    running.signal("SIGHUP");
    expect(await running.logged("the settings were not read again: the old ones stay")).toMatchObject({
      error: { code: "MR_CONFIG" },
    });
  });

  it("keeps the parts of the mix that are pinned, and takes pins while it runs", async () => {
    await using redis = await openTestRedis();
    const file = join(cwd, "pins.yaml");
    writeFileSync(file, "force:\n  blocking: 2\n");
    await using running = foreman(redis.url, redis.app, ["--config", file, "--pin", "slots=3", "--async-workers", "2"]);
    const ready = await running.ready();
    expect(ready).toMatchObject({ workers: { blocking: 2 } });
    const mix = async () => {
      const text = await (await fetch(`${String(ready.health)}/metrics`)).text();
      const of = (letter: string) => new RegExp(`millrace_mix\\{parameter="${letter}"\\} (\\d+)`).exec(text)?.[1];
      return `${of("P")} ${of("A")} ${of("C")}`;
    };
    expect(await mix()).toMatch(/^2 \d 3$/);
    writeFileSync(file, "force:\n  blocking: 1\n");
    running.signal("SIGHUP");
    await poll(async () => (/^1 \d 3$/.test(await mix()) ? true : null), "the new pin", 20_000);
  });

  it("stops gracefully when its supervisor is gone, and gives back what it held", async () => {
    await using redis = await openTestRedis();
    await using app = client(redis);
    const file = join(cwd, "orphaned");
    await using running = foreman(redis.url, redis.app, ["--foreman-drain-ms", "100"]);
    await running.ready();
    const handle = await app.enqueue("hold", { file, ms: 60_000 });
    await held(file);
    running.signal("SIGKILL");
    await running.logged("stopped");
    // Its output stays open until the last of its processes has ended.
    expect(await running.ended()).toMatchObject({ code: 137 });
    expect(await handle.status()).toMatchObject({ state: "ready", attempt: 0 });
  });

  it("tells systemd that it is ready, alive and stopping", async () => {
    await using redis = await openTestRedis();
    const [bin, said] = [join(cwd, "bin"), join(cwd, "said")];
    mkdirSync(bin);
    writeFileSync(join(bin, "systemd-notify"), `#!/bin/sh\necho "$@" >> ${said}\n`, { mode: 0o755 });
    const env = {
      PATH: `${bin}:${process.env.PATH ?? ""}`,
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "2000000",
    };
    await using running = foreman(redis.url, redis.app, [], env);
    await running.ready();
    const hears = (word: string) =>
      poll(() => (existsSync(said) && readFileSync(said, "utf8").includes(word) ? true : null), `${word} to systemd`);
    await hears("--ready");
    await hears("WATCHDOG=1");
    running.signal("SIGTERM");
    expect(await running.ended()).toMatchObject({ code: 0 });
    await hears("STOPPING=1");
    expect(readFileSync(said, "utf8")).toContain(`--pid=${running.pid}`);
  });

  it("shows no secret of its store, in no line", async () => {
    await using redis = await openTestRedis();
    const url = redis.url.replace("redis://", "redis://default:s3cr3t-word@");
    await using running = foreman(url, redis.app, ["--log-level", "debug"]);
    await running.ready();
    running.signal("SIGTERM");
    const { code, stdout, stderr } = await running.ended();
    expect(code).toBe(0);
    expect(stdout + stderr).not.toContain("s3cr3t-word");
  });
});

/**
 * What users say an App does, one sentence a test, the same on every store.
 *
 * No sleeps: handlers tell when they run, `result` and `wait` tell when work ended, and a deadline fails what hangs.
 */
import {
  App,
  type AppOptions,
  OperationCancelled,
  OperationFailed,
  RetryAfter,
  TerminalError,
  WaitTimeout,
} from "@millrace/core";
import { afterEach, describe, expect, it } from "vitest";
import { poll } from "../helper/wait.js";
import { WALL_SLACK_MS } from "../helper/wall-slack.js";

/** Where the Apps of one store kind live. `fresh` gives options that meet nobody else's work. */
export interface AppPlace {
  readonly fresh: () => AppOptions | Promise<AppOptions>;
  /** Whether a second App can join the first one's work (several processes, in effect). */
  readonly isShared: boolean;
}

/** A promise with its ends outside. */
function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Declares the suite for one kind of store. */
export function appSuite(name: string, place: AppPlace): void {
  describe(`an App on ${name}`, () => {
    const apps: App[] = [];
    const make = async (options: AppOptions = {}, base?: AppOptions): Promise<App> => {
      const app = new App({ ...(base ?? (await place.fresh())), ...options });
      apps.push(app);
      return app;
    };
    afterEach(async () => {
      await Promise.all(apps.splice(0).map((app) => app.close()));
    });

    it("F4, F7: runs a task and gives its result", async () => {
      const app = await make();
      const double = app.step("double", async ({ n }: { n: number }) => n * 2);
      await app.start();
      const handle = await double.enqueue({ n: 21 });
      expect(await handle.result({ timeout: "5s" })).toBe(42);
      expect(await app.run(double, { n: 4 })).toBe(8);
      const status = await handle.status();
      expect(status).toMatchObject({ id: handle.id, state: "completed", step: "double", attempt: 1, generation: 0 });
    });

    it("B6, F2: enqueues by name and refuses a misspelt one with a suggestion", async () => {
      const app = await make();
      app.step("resize", async (n: number) => n + 1);
      await app.start();
      const handle = await app.enqueue("resize", 1);
      expect(await handle.result({ timeout: "5s" })).toBe(2);
      await expect(app.enqueue("resise", 1)).rejects.toMatchObject({ code: "MR_UNKNOWN_TARGET" });
      await expect(app.enqueue("resise", 1)).rejects.toThrow("did you mean `resize`");
    });

    it("F2: keeps a registry: Steps are found, listed, declared and taken out by name", async () => {
      const app = await make();
      const echo = app.registry.register("echo", async (n: number) => n);
      expect(app.registry.list()).toEqual(["echo"]);
      expect(app.registry.get("echo")).toBe(echo);
      expect(app.registry.getOrThrow("echo")).toBe(echo);
      expect([app.registry.has("echo"), app.registry.has("ecco"), app.registry.get("ecco")]).toEqual([
        true,
        false,
        undefined,
      ]);
      expect(() => app.registry.getOrThrow("ecco")).toThrow(
        expect.objectContaining({ code: "MR_UNKNOWN_TARGET" }) as Error,
      );
      expect(() => app.step("echo", async () => 0)).toThrow(
        expect.objectContaining({ code: "MR_DUPLICATE_NAME" }) as Error,
      );
      await app.start();
      expect(await app.run("echo", 1)).toBe(1);
      await expect(app.registry.unregister("ecco")).rejects.toMatchObject({ code: "MR_UNKNOWN_TARGET" });
      await app.registry.unregister("echo");
      expect([app.registry.has("echo"), app.registry.list(), app.registry.get("echo")]).toEqual([false, [], undefined]);
      await expect(app.enqueue("echo", 1)).rejects.toMatchObject({ code: "MR_UNKNOWN_TARGET" });
      await expect(echo.enqueue(1 as never)).rejects.toMatchObject({ code: "MR_UNKNOWN_TARGET" });
      app.step("echo", async (n: number) => n + 1);
      expect(await app.run("echo", 1)).toBe(2);
      expect(await (await echo.enqueue(1 as never)).result({ timeout: "5s" })).toBe(2);
    });

    it("F2: refuses to take out a Step whose work is scheduled, ready or running, and names one of it", async () => {
      const app = await make();
      const begun = signal();
      const go = signal();
      const held = app.step("held", async (_: null) => {
        begun.resolve();
        await go.promise;
      });
      app.step("other", async () => 1);
      const inUse = (id: string, state: string) => ({ code: "MR_STEP_IN_USE", details: { name: "held", id, state } });
      const later = await held.enqueue(null, { delay: "1h" });
      await expect(app.registry.unregister("held")).rejects.toMatchObject(inUse(later.id, "scheduled"));
      await later.cancel();
      const handle = await held.enqueue(null);
      await expect(app.registry.unregister("held")).rejects.toMatchObject(inUse(handle.id, "ready"));
      await app.start();
      await begun.promise;
      await expect(app.registry.unregister("held")).rejects.toMatchObject(inUse(handle.id, "running"));
      await app.registry.unregister("other");
      go.resolve();
      await handle.result({ timeout: "5s" });
      await app.registry.unregister("held");
      expect(app.registry.list()).toEqual([]);
    });

    it("F2: taken out by force, what runs ends and what waits stays, unspent, for the next Step of its name", async () => {
      const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
      const begun = signal();
      const go = signal();
      const ran: unknown[] = [];
      const old = app.step("part", { queue: "parts" }, async (n: number) => {
        ran.push(["old", n]);
        begun.resolve();
        await go.promise;
        return n;
      });
      const other = app.step("other", async (n: number) => n);
      await app.start();
      const first = await old.enqueue(0);
      await begun.promise;
      const waiting = await Promise.all([old.enqueue(1), old.enqueue(2), old.enqueue(3, { delay: "1h" })]);
      await app.registry.unregister("part", { force: true });
      go.resolve();
      expect(await first.result({ timeout: "5s" })).toBe(0);
      // The one slot is free, and what waited before this was looked at: nothing of it ran.
      expect(await (await other.enqueue(9)).result({ timeout: "5s" })).toBe(9);
      expect(ran).toEqual([["old", 0]]);
      for (const handle of waiting) expect((await handle.status()).state).toMatch(/^(ready|scheduled)$/);
      // Taken up as it runs, from the Queue that was left alone meanwhile.
      app.step("part", { queue: "parts" }, async (n: number, { attempt }) => {
        ran.push(["new", n, attempt]);
        return -n;
      });
      const [one, two, three] = waiting;
      expect(await app.gather([one, two], { timeout: "10s" })).toEqual([-1, -2]);
      expect(ran.slice(1)).toEqual([
        ["new", 1, 1],
        ["new", 2, 1],
      ]);
      expect(await three.cancel()).toBe("cancelled");
    });

    it("B5, F5: takes work before it is started", async () => {
      const app = await make();
      const echo = app.step("echo", async (text: string) => text);
      const handle = await echo.enqueue("early");
      expect((await handle.status()).state).toBe("ready");
      await app.start();
      expect(await handle.result({ timeout: "5s" })).toBe("early");
    });

    it("keeps what people put in, exactly", async () => {
      const app = await make();
      const echo = app.step("echo", async (value: unknown) => value);
      await app.start();
      const value = {
        big: 2n ** 70n,
        date: new Date(5),
        bytes: new Uint8Array([0, 255]),
        zero: -0,
        empty: {},
        text: "\u0000\ud800",
      };
      const back = (await (await echo.enqueue(value)).result({ timeout: "5s" })) as typeof value;
      expect(back).toEqual(value);
      expect(Object.is(back.zero, -0)).toBe(true);
    });

    it("B6: enqueues many in order and answers one handle or error for each", async () => {
      const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
      const seen: number[] = [];
      const note = app.step("note", async (n: number) => {
        seen.push(n);
        return n;
      });
      const inputs = Array.from({ length: 2_500 }, (_, i) => (i === 7 ? (Symbol("odd") as unknown as number) : i));
      const { handles } = await app.enqueueMany(note, inputs);
      expect(handles).toHaveLength(2_500);
      expect(handles[7]).toMatchObject({ code: "MR_NOT_SERIALISABLE" });
      await app.start();
      const last = handles[2_499];
      if (last === undefined || last instanceof Error) throw new Error("the last input was refused");
      expect(await last.result({ timeout: "20s" })).toBe(2_499);
      expect(seen).toEqual(inputs.filter((_, i) => i !== 7));
    });

    it("F15: retries with growing waits, then moves to the dead letters, from where it can be requeued", async () => {
      const app = await make();
      let isMended = false;
      const attempts: number[] = [];
      const flaky = app.step("flaky", { retries: 2, retryDelay: "20ms" }, async (_: null, { attempt }) => {
        attempts.push(attempt);
        if (!isMended) throw new TypeError("no luck");
        return "well";
      });
      await app.start();
      const handle = await flaky.enqueue(null);
      const failure = await handle.result({ timeout: "10s" }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(OperationFailed);
      expect(failure).toMatchObject({ attempts: 3, remote: { name: "TypeError", message: "no luck" } });
      expect((failure as OperationFailed).remote.stack).toContain("app.suite");
      expect(attempts).toEqual([1, 2, 3]);
      const dead = [];
      for await (const one of app.queue("async").dead()) dead.push(one);
      expect(dead.map(({ id, state, attempt, step }) => ({ id, state, attempt, step }))).toEqual([
        { id: handle.id, state: "failed", attempt: 3, step: "flaky" },
      ]);
      isMended = true;
      expect(await app.queue("async").requeue([handle.id])).toBe(1);
      expect(await app.handle(handle.id).result({ timeout: "10s" })).toBe("well");
      expect((await handle.status()).generation).toBe(1);
      expect(await app.queue("async").requeue([handle.id])).toBe(0);
    });

    it("F15: fails at once on a TerminalError and spends no Attempt on a RetryAfter", async () => {
      const app = await make();
      let calls = 0;
      const terminal = app.step("terminal", async () => {
        calls++;
        throw new TerminalError("never again");
      });
      let turns = 0;
      const later = app.step("later", async (_: null, { attempt }) => {
        if (turns++ < 2) throw new RetryAfter("10ms");
        return attempt;
      });
      await app.start();
      await expect((await terminal.enqueue(undefined)).result({ timeout: "5s" })).rejects.toThrow("never again");
      expect(calls).toBe(1);
      expect(await (await later.enqueue(null)).result({ timeout: "5s" })).toBe(1);
      expect(turns).toBe(3);
    });

    it("B32, F14: runs larger priorities first and keeps the order among equals", async () => {
      const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
      const seen: string[] = [];
      const note = app.step("note", async (name: string) => {
        seen.push(name);
      });
      const handles = [];
      for (const [name, priority] of [
        ["a", 0],
        ["low", -5],
        ["b", 0],
        ["high", 10],
        ["c", 0],
        ["high2", 10],
      ] as const) {
        handles.push(await note.enqueue(name, { priority }));
      }
      await app.start();
      await app.gather(handles, { timeout: "5s" });
      expect(seen).toEqual(["high", "high2", "a", "b", "c", "low"]);
    });

    it("F5: waits for a delay or a moment before it runs", async () => {
      const app = await make();
      const when = app.step("when", async () => Date.now());
      await app.start();
      const from = Date.now();
      const delayed = await when.enqueue(undefined, { delay: "400ms" });
      const at = await app.at(when, undefined, new Date(from + 450));
      const past = await when.enqueue(undefined, { at: new Date(0).toISOString() });
      expect((await delayed.status()).state).toBe("scheduled");
      expect(await past.result({ timeout: "5s" })).toBeLessThan(from + 5_000);
      expect(await delayed.result({ timeout: "5s" })).toBeGreaterThanOrEqual(from + 400 - WALL_SLACK_MS);
      expect(await at.result({ timeout: "5s" })).toBeGreaterThanOrEqual(from + 450 - WALL_SLACK_MS);
    });

    it("X3: aborts an Attempt at its timeout; a handler that ignores it loses the Attempt all the same", async () => {
      const app = await make();
      const kinds: unknown[] = [];
      const polite = app.step("polite", { timeout: "30ms", retries: 0 }, async (_: null, { abort }) => {
        await new Promise((_resolve, reject) => {
          abort.addEventListener("abort", () => {
            kinds.push((abort.reason as { kind?: unknown }).kind);
            reject(abort.reason as Error);
          });
        });
      });
      const never = () => new Promise<never>(() => undefined);
      const deaf = app.step("deaf", { kind: "async", timeout: "30ms", killGrace: "10ms", retries: 0 }, never);
      await app.start();
      await expect((await polite.enqueue(null)).result({ timeout: "5s" })).rejects.toMatchObject({
        remote: { code: "MR_TIMEOUT" },
      });
      expect(kinds).toEqual(["timeout"]);
      await expect((await deaf.enqueue(null)).result({ timeout: "5s" })).rejects.toMatchObject({
        remote: { code: "MR_TIMEOUT" },
      });
    });

    it("B7, X3: cancels what waits at once and what runs by its signal; nothing starts after the acknowledgement", async () => {
      const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
      const running = signal();
      let starts = 0;
      const hold = app.step("hold", async (_: string, { abort }) => {
        starts++;
        running.resolve();
        await new Promise((_resolve, reject) => abort.addEventListener("abort", () => reject(abort.reason as Error)));
      });
      const first = await hold.enqueue("runs");
      const second = await hold.enqueue("waits");
      const third = await hold.enqueue("later", { delay: "1h" });
      await app.start();
      await running.promise;
      expect(await second.cancel({ reason: "not needed" })).toBe("cancelled");
      expect(await third.cancel()).toBe("cancelled");
      expect(await first.cancel()).toBe("requested");
      const outcome = await first.wait({ timeout: "10s" });
      expect(outcome.state).toBe("cancelled");
      await expect(second.result({ timeout: "5s" })).rejects.toBeInstanceOf(OperationCancelled);
      await expect(second.result({ timeout: "5s" })).rejects.toThrow("not needed");
      expect(await second.cancel()).toBe("already_terminal");
      expect((await third.status()).state).toBe("cancelled");
      expect(starts).toBe(1);
    });

    it("B7: tells progress to who watches", async () => {
      const app = await make();
      const go = signal();
      const seen = signal();
      const count = app.step("count", async (_: null, context) => {
        await go.promise;
        context.progress(1, 3, "first");
        await seen.promise;
        context.progress(3, 3);
        return "done";
      });
      await app.start();
      const handle = await count.enqueue(null);
      const notes: unknown[] = [];
      const watching = (async () => {
        for await (const note of handle.progress()) {
          notes.push(note);
          seen.resolve();
        }
      })();
      await poll(async () => ((await handle.status()).state === "running" ? true : null), "the begin of the task");
      go.resolve();
      expect(await handle.result({ timeout: "5s" })).toBe("done");
      await watching;
      expect(notes[0]).toEqual({ done: 1, total: 3, note: "first" });
    });

    it("pauses a Queue and resumes it", async () => {
      const app = await make();
      const echo = app.step("echo", async (n: number) => n);
      await app.start();
      await app.queue("async").pause();
      const handle = await echo.enqueue(1);
      await expect(handle.result({ timeout: "100ms" })).rejects.toBeInstanceOf(WaitTimeout);
      expect((await handle.status()).state).toBe("ready");
      expect(await app.queue("async").counts()).toEqual({ queue: "async", ready: 1, isPaused: true });
      await app.queue("async").resume();
      expect(await handle.result({ timeout: "5s" })).toBe(1);
    });

    it("B38: drains gracefully: what runs finishes, what waits keeps its place and its Attempts", async () => {
      const options = await place.fresh();
      const app = await make({ workers: { asyncWorkers: 1, slots: 2 } }, options);
      const release = signal();
      const both = signal();
      let running = 0;
      const work = app.step("work", async (n: number) => {
        if (++running === 2) both.resolve();
        await release.promise;
        return n;
      });
      await app.start();
      const handles = [];
      for (let n = 0; n < 10; n++) handles.push(await work.enqueue(n));
      await both.promise;
      const stopped = app.stop({ drain: "10s" });
      release.resolve();
      expect((await stopped).isForced).toBe(false);
      expect(running).toBe(2);
      const states = await Promise.all(handles.map(async (handle) => (await handle.status()).state));
      expect(states.filter((state) => state === "completed")).toHaveLength(2);
      expect(states.filter((state) => state === "ready")).toHaveLength(8);
      await app.start();
      expect(await app.gather(handles, { timeout: "5s" })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    it("B38: hands back what does not finish in time, without spending an Attempt", async () => {
      const app = await make();
      const begun = signal();
      const attempts: number[] = [];
      let isSecond = false;
      const slow = app.step("slow", async (_: null, { abort, attempt }) => {
        attempts.push(attempt);
        begun.resolve();
        if (isSecond) return "done";
        return await new Promise<string>((_resolve, reject) =>
          abort.addEventListener("abort", () => reject(abort.reason as Error)),
        );
      });
      await app.start();
      const handle = await slow.enqueue(null);
      await begun.promise;
      const report = await app.stop({ drain: 0 });
      expect(report).toMatchObject({ isForced: true, released: 1 });
      isSecond = true;
      await app.start();
      expect(await handle.result({ timeout: "5s" })).toBe("done");
      expect(attempts).toEqual([1, 1]);
    });

    it("B7, F12: resolves ten thousand waits for instant tasks", async () => {
      const app = await make();
      const echo = app.step("echo", async (n: number) => n);
      await app.start();
      const results = await Promise.all(
        Array.from({ length: 10_000 }, async (_, n) => await (await echo.enqueue(n)).result({ timeout: "30s" })),
      );
      expect(results).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
    });

    it("B2, F3: refuses to start with a plain function: it would block this thread", async () => {
      const app = await make();
      app.step("sync", (n: number) => n);
      await expect(app.start()).rejects.toMatchObject({ code: "MR_MODULE_REQUIRED" });
    });

    it("B1, F28: is closed for good by close, and says so", async () => {
      const app = await make();
      const echo = app.step("echo", async (n: number) => n);
      await app.start();
      await app.close();
      await app.close();
      expect(app.state).toBe("closed");
      await expect(echo.enqueue(1)).rejects.toMatchObject({ code: "MR_APP_CLOSED" });
      await expect(app.start()).rejects.toMatchObject({ code: "MR_APP_CLOSED" });
    });

    it("B33: answers MR_NOT_FOUND for ids it never gave out", async () => {
      const app = await make();
      app.step("echo", async (n: number) => n);
      await app.start();
      await expect(app.handle(`${app.nodeId}.zzz.101`).result()).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
      expect(() => app.handle("nonsense")).toThrow(expect.objectContaining({ code: "MR_NOT_FOUND" }) as Error);
    });

    if (place.isShared) {
      it("F2: a Step taken out of one process is served on by the others", async () => {
        const options = await place.fresh();
        const one = await make({ nodeId: "node-one" }, options);
        const two = await make({ nodeId: "node-two" }, options);
        const ran: string[] = [];
        const declare = (app: App, label: string) =>
          app.step("who", async (n: number) => {
            ran.push(label);
            return n;
          });
        declare(one, "one");
        const who = declare(two, "two");
        await one.start();
        await two.start();
        await one.registry.unregister("who", { force: true });
        const handles = [];
        for (let n = 0; n < 20; n++) handles.push(await who.enqueue(n));
        expect(await two.gather(handles, { timeout: "10s" })).toEqual(handles.map((_, n) => n));
        expect(new Set(ran)).toEqual(new Set(["two"]));
      });

      it("B33: shares work between two Apps of one id, and keeps two ids apart", async () => {
        const options = await place.fresh();
        const one = await make({ nodeId: "node-one" }, options);
        const two = await make({ nodeId: "node-two" }, options);
        const other = await make({ id: "other" }, options);
        const ran: string[] = [];
        const declare = (app: App, label: string) =>
          app.step("who", async (_: null) => {
            ran.push(label);
            return label;
          });
        const client = declare(one, "one");
        declare(two, "two");
        declare(other, "other");
        await two.start();
        await other.start();
        const handles = [];
        for (let n = 0; n < 50; n++) handles.push(await client.enqueue(null));
        expect(new Set(await one.gather(handles, { timeout: "10s" }))).toEqual(new Set(["two"]));
        await expect(other.handle(handles[0]?.id ?? "").status()).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
      });
    }
  });
}

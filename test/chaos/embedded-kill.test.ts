/**
 * kill -9 of the process that owns an embedded store, again and again, at random moments under load: what it had been
 * told stands, nothing is accepted twice, and every Operation is somewhere, whole.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EmbeddedStore, type OperationRecord } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";

const child = fileURLToPath(new URL("../dist/chaos/embedded-child.js", import.meta.url));
const lives = 12;

describe("a process with an embedded store that is killed again and again", () => {
  it.each(["aof", "flushed"] as const)("keeps every answer it gave: %s", async (durability) => {
    await using run = new Run(durability);
    await run.live();
    const { enqueued, completed, unknown } = await run.judge();
    expect(unknown).toEqual([]);
    expect(enqueued).toBeGreaterThan(1_000);
    expect(completed).toBeGreaterThan(1_000);
  });

  it("forgets at most the last moments of a life with `memory`, and never half of anything", async () => {
    await using run = new Run("memory");
    await run.live();
    const { enqueued, completed, unknown } = await run.judge();
    expect(enqueued).toBeGreaterThan(1_000);
    expect(completed).toBeGreaterThan(1_000);
    // A life's lost answers are its last ones: the disk is a moment of that life, whole.
    expect(unknown.length).toBeLessThan(enqueued / 2);
  });

  it("is refused to a second process while the first lives", async () => {
    await using run = new Run("aof");
    const first = run.start("l0");
    await once(first.stdout, "data");
    const second = run.start("l1");
    let text = "";
    second.stderr.on("data", (part: Buffer) => {
      text += part.toString();
    });
    const [code] = await once(second, "exit");
    expect(code).not.toBe(0);
    expect(text).toContain(`is in use by process ${first.pid}`);
    first.kill("SIGKILL");
    await once(first, "exit");
  });
});

/** What the log says was answered. */
interface Told {
  /** Lane → highest counter acknowledged. */
  readonly enqueued: ReadonlyMap<string, number>;
  /** Dot → tokens of accepted completions. */
  readonly completed: ReadonlyMap<string, readonly number[]>;
}

class Run implements AsyncDisposable {
  readonly #dir = mkdtempSync(join(tmpdir(), "millrace-kill-"));
  readonly #durability: string;

  constructor(durability: string) {
    this.#durability = durability;
  }

  start(life: string) {
    return spawn(process.execPath, [child, this.#path, this.#durability, life, this.#log], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Some lives, each killed somewhere in its work; some while they open the store. */
  async live(): Promise<void> {
    for (let life = 0; life < lives; life++) {
      const process = this.start(`l${life}`);
      const ended = once(process, "exit");
      let errors = "";
      process.stderr.on("data", (part: Buffer) => {
        errors += part.toString();
      });
      if (life % 4 === 3) await pause(100 + Math.random() * 100);
      else await Promise.race([once(process.stdout, "data").then(() => pause(50 + Math.random() * 300)), ended]);
      expect(process.exitCode, errors).toBeNull();
      process.kill("SIGKILL");
      await ended;
    }
  }

  /** Opens what is left and compares it with what was told; `unknown` lists broken promises. */
  async judge(): Promise<{ enqueued: number; completed: number; unknown: readonly string[] }> {
    const { enqueued, completed } = this.#told();
    const store = new EmbeddedStore({ path: this.#path, app: "kill" });
    await store.open();
    const unknown: string[] = [];
    let count = 0;
    for (const [laneName, last] of enqueued) {
      count += last;
      const records = await findAll(store, laneName, last);
      for (const [i, record] of records.entries()) {
        const dot = `${laneName} ${i + 1}`;
        const tokens = completed.get(dot) ?? [];
        if (tokens.length > 1) unknown.push(`${dot} was completed ${tokens.length} times`);
        if (typeof record === "string") {
          unknown.push(`${dot} is ${record}`);
          continue;
        }
        if (tokens.length === 0) continue;
        if (record.state !== "completed") unknown.push(`${dot} was completed and is ${record.state}`);
        else if (record.token !== tokens[0]) unknown.push(`${dot} was completed by ${tokens[0]}, not ${record.token}`);
        else expect(Buffer.from(record.value ?? []).toString()).toBe(dot);
      }
    }
    await this.#workOff(store);
    await store.close();
    return { enqueued: count, completed: completed.size, unknown };
  }

  /** Whatever is left can be worked off: every Operation ends, once. */
  async #workOff(store: EmbeddedStore): Promise<void> {
    const retainMs = 3_600_000;
    const poison = new Uint8Array(1);
    for (const { segment, owner, beat } of store.deadOwners()) {
      const params = { owner, beat, max: 1000, recoveriesMax: 1000, retainMs, poison };
      for (let left = 1; left > 0; ) ({ left } = await store.rescue(segment, params));
    }
    for (let request = 1; ; ) {
      const { nextDueInMs } = await store.promote("s", { max: 1000 });
      const { claims, waiting } = await store.claim("s", { owner: "end", request, queues: ["q"], max: 1000 });
      if (claims.length > 0) {
        request += 1;
        for (const { laneName, counter, body } of claims) {
          expect(Buffer.from(body).toString()).toBe(`${laneName} ${counter}`);
        }
        const values = claims.map(({ body }) => body);
        const { answers } = await store.complete("s", { owner: "end", retainMs, held: claims, values });
        expect(new Set(answers)).toEqual(new Set(["ok"]));
      } else if (waiting === 0 && nextDueInMs === null) {
        break;
      } else {
        await pause(5);
      }
    }
    const { totals, running, scheduled } = await store.counts("s");
    expect({ running, scheduled }).toEqual({ running: 0, scheduled: 0 });
    expect(totals.completed + totals.failed + totals.cancelled).toBe(totals.enqueued);
  }

  #told(): Told {
    const enqueued = new Map<string, number>();
    const completed = new Map<string, number[]>();
    const lines = existsSync(this.#log) ? readFileSync(this.#log, "utf8").split("\n") : [];
    for (const line of lines) {
      const [what, laneName = "", counter = "", token = ""] = line.split(" ");
      if (what === "enqueued") enqueued.set(laneName, Math.max(enqueued.get(laneName) ?? 0, Number(counter)));
      if (what !== "ok") continue;
      const dot = `${laneName} ${counter}`;
      completed.set(dot, [...(completed.get(dot) ?? []), Number(token)]);
    }
    return { enqueued, completed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #path(): string {
    return join(this.#dir, "store");
  }

  get #log(): string {
    return join(this.#dir, "told.log");
  }
}

async function findAll(
  store: EmbeddedStore,
  laneName: string,
  last: number,
): Promise<readonly (OperationRecord | "pruned" | "missing")[]> {
  const records: (OperationRecord | "pruned" | "missing")[] = [];
  for (let from = 1; from <= last; from += 1000) {
    const dots = Array.from({ length: Math.min(1000, last - from + 1) }, (_, i) => ({ laneName, counter: from + i }));
    records.push(...(await store.find("s", { dots, wait: false })).records);
  }
  return records;
}

/**
 * Foremen that hold slots and places in lines are killed with SIGKILL at random moments, one after another, and new ones
 * take their places. In the end everything is done, no slot is lost, no line has stood still or run out of order.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { App } from "@millrace/core";
import { Redis } from "ioredis";
import { poll, within } from "../helper/wait.js";
import { Dice } from "../sim/dice.js";
import { SLOTS, tiedSteps } from "./tied-steps.js";

/** How long to play. */
export interface TiedPlay {
  readonly url: string;
  readonly app: string;
  readonly seed: number;
  readonly kills: number;
  /** Operations of each Step. */
  readonly operations: number;
}

/** What was seen. */
export interface TiedReport {
  readonly begun: number;
  readonly completed: number;
  /** More than the limit at once among processes that lived; begun before the one in front had ended for good. */
  readonly overruns: number;
  readonly disorder: number;
  /** What fsck found when all was over. */
  readonly findings: number;
}

const FOREMEN = 3;
const KEYS = 5;

/** Plays once. Errors: a deadline that passed. */
export async function playTied({ url, app: id, seed, kills, operations }: TiedPlay): Promise<TiedReport> {
  const dice = new Dice(seed);
  const app = new App({ id, store: url, nodeId: "asking" });
  const log = new Redis(url);
  const living = new Map<string, ChildProcess>();
  /** Those that have started; whoever is killed is one of them. */
  const working: string[] = [];
  let nodes = 0;
  const launch = async (): Promise<void> => {
    const node = `node-${++nodes}`;
    const folder = import.meta.url.endsWith(".ts") ? "../dist/chaos/" : "./";
    const script = fileURLToPath(new URL(`${folder}tied-program.js`, import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify({ store: url, app: id, node })], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    living.set(node, child);
    await within(once(createInterface({ input: child.stdout }), "line"), "a Foreman", 20_000);
    working.push(node);
  };
  const kill = async (node: string): Promise<void> => {
    const child = living.get(node);
    living.delete(node);
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await log.rpush(`${id}:log`, `${node} - - - dies`);
  };
  try {
    const { limited, ordered } = tiedSteps(app, async () => undefined);
    await Promise.all(Array.from({ length: FOREMEN }, launch));
    const numbers = Array.from({ length: operations }, (_, n) => n);
    const handles = [];
    for (const n of numbers) {
      handles.push(await limited.enqueue(n), await ordered.enqueue({ key: `k${n % KEYS}`, n }));
    }
    // Not after a time but after so much work: on every machine in the middle of it. New ones come while work goes on.
    const launches: Promise<void>[] = [];
    const lines = 4 * operations;
    for (let killed = 0; killed < kills; killed++) {
      const part = (0.8 * lines) / kills;
      const until = Math.floor(killed * part) + dice.between(1, Math.floor(part));
      await poll(async () => ((await log.llen(`${id}:log`)) >= until ? true : null), "some work", 60_000);
      await poll(async () => (working.length > 0 ? true : null), "a Foreman that works", 20_000);
      // Whoever began or ended something last is in the middle of more; it may be any of them.
      const [last = ""] = ((await log.lindex(`${id}:log`, -1)) ?? "").split(" ");
      const at = working.indexOf(last);
      const [victim = ""] = working.splice(at < 0 ? dice.between(0, working.length - 1) : at, 1);
      await kill(victim);
      launches.push(launch());
    }
    await Promise.all(launches);
    const outcomes = await Promise.all(handles.map((handle) => handle.wait({ timeout: "60s" })));
    const told = await log.lrange(`${id}:log`, 0, -1);
    for (const node of [...living.keys()]) await kill(node);
    const { found } = await app.inspect.fsck().done();
    const completed = outcomes.filter(({ state }) => state === "completed").length;
    return { ...judge(told), completed, findings: found };
  } finally {
    for (const child of living.values()) child.kill("SIGKILL");
    await log.del(`${id}:log`);
    log.disconnect();
    await app.close();
  }
}

/** Reads the log: who ran when, by what the Steps wrote. */
export function judge(lines: readonly string[]): Pick<TiedReport, "begun" | "overruns" | "disorder"> {
  const running = new Map<string, { readonly node: string; readonly step: string; readonly key: string }>();
  const last = new Map<string, number>();
  let begun = 0;
  let overruns = 0;
  let disorder = 0;
  for (const line of lines) {
    const [node = "", step = "", key = "", n = "", what = ""] = line.split(" ");
    const name = `${node} ${step} ${n}`;
    if (what === "dies") for (const [other, one] of running) if (one.node === node) running.delete(other);
    if (what === "ends") running.delete(name);
    if (what !== "begins") continue;
    begun++;
    running.set(name, { node, step, key });
    const beside = [...running.values()].filter((one) => one.step === step && one.key === key).length;
    if (beside > (step === "limited" ? SLOTS : 1)) overruns++;
    if (step !== "ordered") continue;
    // Taken back, one runs again; never one that came before it.
    if (Number(n) < (last.get(key) ?? -1)) disorder++;
    last.set(key, Number(n));
  }
  return { begun, overruns, disorder };
}

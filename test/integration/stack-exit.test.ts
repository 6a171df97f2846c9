/** A process that exits while it looks at the stack of a busy thread: the thread stands paused then, and is let go. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { within } from "../helper/wait.js";

const dist = (file: string): string => new URL(`../../core/dist/${file}`, import.meta.url).href;

/** Looks at a thread that never hears anything, and exits so many milliseconds later. */
const program = `
  import { Worker } from "node:worker_threads";
  import { captureStack } from "${dist("foreman/stack.js")}";
  import { systemClock } from "${dist("base/clock.js")}";
  const worker = new Worker('require("node:worker_threads").parentPort.postMessage("up"); for (;;);', { eval: true, execArgv: [] });
  worker.once("message", () => {
    const looks = [1, 2, 3].map(() => captureStack(worker.threadId, systemClock));
    setTimeout(() => process.exit(7), Number(process.argv[1]));
    void Promise.all(looks);
  });
`;

/** The exit code of the program; null: it had to be killed. */
async function exitOf(afterMs: number): Promise<number | null> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, String(afterMs)], { stdio: "inherit" });
  const exit = once(child, "exit") as Promise<[number | null]>; // its code comes first
  await within(exit, "its exit", 20_000).catch(() => child.kill("SIGKILL"));
  const [code] = await exit;
  return code;
}

it("a process exits at once while a thread shows its stack", async () => {
  for (let from = 0; from < 12; from += 3) {
    const codes = await Promise.all([from, from + 1, from + 2].map(exitOf));
    expect(codes).toEqual([7, 7, 7]);
  }
}, 60_000);

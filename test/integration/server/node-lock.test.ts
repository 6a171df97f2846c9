/** The lock of a Node between processes: many want the lock of a dead one at the same moment, one gets it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const DOOR = pathToFileURL(join(import.meta.dirname, "../../../server/dist/internal.js")).href;
/** Says that it is there, tries when it is told, says how it went, and holds the lock until it is ended. */
const CONTENDER = `
import { lockNode } from ${JSON.stringify(DOOR)};
const [folder] = process.argv.slice(2);
console.log("here");
process.stdin.once("data", () => {
  try {
    lockNode({ app: "shop", node: "web-1", store: "s" }, folder);
    console.log("got");
  } catch (error) {
    console.log(error.code);
  }
});
`;
const CONTENDERS = 6;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-contend-"));
  writeFileSync(join(folder, "contender.mjs"), CONTENDER);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Contender {
  readonly child: ChildProcess;
  next(): Promise<string>;
}

async function contender(): Promise<Contender> {
  const child = spawn(process.execPath, [join(folder, "contender.mjs"), folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  expect(await next()).toBe("here");
  return { child, next };
}

it("is given to one of many that find a dead owner's entry together, each time", async () => {
  // The winner of each round dies with the lock in its hands, and leaves it to the next round.
  for (let round = 0; round < 3; round++) {
    const all = await Promise.all(Array.from({ length: CONTENDERS }, contender));
    for (const { child } of all) child.stdin?.write("go\n");
    const answers = await Promise.all(all.map(({ next }) => next()));
    expect(answers.filter((answer) => answer === "got")).toHaveLength(1);
    expect(answers.filter((answer) => answer === "MR_FOREMAN_RUNNING")).toHaveLength(CONTENDERS - 1);
    for (const { child } of all) child.kill("SIGKILL");
    await Promise.all(all.map(({ child }) => once(child, "close")));
    expect(readdirSync(folder).filter((name) => /\.(lock|draft|dead)$/.test(name))).toHaveLength(1);
  }
});

/**
 * `npm run sim -- [--seeds N] [--seed S] [--store redis|embedded|both] [--json]`: the machine against the stores.
 *
 * Starts a throw-away Redis on a unix socket. Exit code 1 and the smallest sequence when a store disagrees.
 */
import { parseArgs } from "node:util";
import { compare, type Difference } from "./compare.js";
import { embeddedSide } from "./embedded-side.js";
import { startRedisSide } from "./redis-side.js";
import type { Side } from "./side.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
    store: { type: "string", default: "both" },
    json: { type: "boolean", default: false },
  },
});
const [seeds, firstSeed] = [Number(values.seeds), Number(values.seed)];
const stores = values.store === "both" ? ["redis", "embedded"] : [values.store];
if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(firstSeed))
  fail("--seeds and --seed take whole numbers");
if (!stores.every((name) => name === "redis" || name === "embedded")) fail("--store takes redis, embedded or both");

for (const name of stores) {
  const side = name === "redis" ? await startRedisSide() : await embeddedSide();
  try {
    report(side, await run(side));
  } finally {
    await side.close();
  }
}

interface Run {
  readonly difference: Difference | null;
  readonly ms: number;
}

async function run(side: Side): Promise<Run> {
  const startedAt = performance.now();
  const isTerminal = process.stderr.isTTY === true && !values.json;
  const onProgress = (compared: number): void => {
    const rate = Math.round((compared / (performance.now() - startedAt)) * 1000);
    if (isTerminal) process.stderr.write(`\r${side.name}: ${compared} of ${seeds} seeds, ${rate} a second `);
  };
  const difference = await compare({ side, firstSeed, seeds, onProgress });
  if (isTerminal) process.stderr.write("\r\x1b[K");
  return { difference, ms: performance.now() - startedAt };
}

function report(side: Side, { difference, ms }: Run): void {
  if (difference !== null) process.exitCode = 1;
  const compared = difference?.after ?? seeds;
  const perSecond = Math.round((compared / ms) * 1000);
  if (values.json) {
    const seed = difference?.seed ?? null;
    console.log(
      JSON.stringify({
        store: side.name,
        firstSeed,
        seeds: compared,
        perSecond,
        failedSeed: seed,
        text: difference?.text ?? null,
      }),
    );
  } else if (difference === null) {
    console.log(`${side.name}: ${compared} seeds from ${firstSeed} on, no difference (${perSecond} a second)`);
  } else {
    console.log(difference.text);
  }
}

function fail(says: string): never {
  console.error(`sim: ${says}`);
  process.exit(2);
}

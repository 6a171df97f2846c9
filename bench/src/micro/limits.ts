/** `limits`: whether limits hold and are used under faults, whose turn it is behind a flood, and what one costs Redis. */
import { type Claim, RedisStore } from "@millrace/core/internal";
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { barChart } from "../tool/chart.js";
import { number, times } from "../tool/format.js";
import { atLeast, atMost } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import { median } from "../tool/stats.js";
import { limits as chaosLimits, measureChaos } from "./limits-chaos.js";
import { type Kind, kinds, measureLimited } from "./limits-life.js";

interface Sizes {
  readonly rounds: number;
  readonly operations: number;
  readonly chaos: number;
  readonly flood: number;
}

const batch = 100;
const few = 10;
const slots = 4;

/** The bench. */
export const limits: Bench = {
  name: "limits",
  sentence: "limits under faults: overruns and use; a few Operations behind a flood; Redis time of a limit",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const sizes: Sizes = {
    rounds: options.rounds ?? (options.quick ? 1 : 5),
    operations: options.quick ? 5_000 : 50_000,
    chaos: options.quick ? 1_500 : 10_000,
    flood: options.quick ? 20_000 : 1_000_000,
  };
  return {
    settings: {
      faults: `${sizes.chaos} Operations of 50 to 150 ms on 64 Workers at the Store contract; ${chaosLimits.all} at once in all, ${chaosLimits.perKey} for each of 1000 keys, one every ${chaosLimits.everyMs} ms; 5 % retries, 3 % handed back, 10 % delayed, owners killed by chance and rescued 400 ms later`,
      flood: `${few} Operations of one key behind ${sizes.flood} of another, ${slots} at once`,
      cost: `batches of ${batch}, ${sizes.operations} lives, ${sizes.rounds} rounds, interleaved; INFO cpu of the whole server`,
      redis: persistenceText("none"),
    },
    steps: 2 + sizes.rounds * kinds.length,
    run: (progress) => run(sizes, progress),
  };
}

async function run(sizes: Sizes, progress: Progress): Promise<Findings> {
  await using server = await startBenchRedis();
  progress.doing("faults");
  const chaos = await measureChaos(server.url, { operations: sizes.chaos, seed: 7 });
  progress.step();
  progress.doing("a flood");
  const alone = await startsUntil(server.url, 0, "alone");
  const behind = await startsUntil(server.url, sizes.flood, "behind");
  progress.step();

  const costs = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < sizes.rounds; round++) {
    for (const [kind, found] of costs) {
      progress.doing(`${kind}, round ${round + 1}`);
      found.push(await measureLimited(server.url, kind, batch, sizes.operations));
      progress.step();
    }
  }
  const cost = (kind: Kind): number => median(costs.get(kind) ?? []);
  return {
    metrics: { chaos, flood: { alone, behind }, costUs: Object.fromEntries(costs) },
    gates: [
      atMost("starts beyond a limit", chaos.overruns, 0),
      atMost("starts beyond a rate", chaos.rateOverruns, 0),
      atLeast("use of the limit while work waits", chaos.utilisation, 0.95),
      atMost(`starts until the last of ${few}, behind a flood vs alone (times)`, behind / alone, 2),
      atMost("Redis CPU per life, one limit vs none (times)", cost("limit") / cost("fast"), 1.5),
      atMost(
        "Redis CPU per life, a limit by key, each of a batch with another, vs none (times)",
        cost("keyed limit") / cost("fast"),
        1.5,
      ),
      atMost(
        "Redis CPU per life, one limit vs a record of its own without (times)",
        cost("limit") / cost("record"),
        1.5,
      ),
    ],
    tables: [
      {
        title: "Under faults",
        columns: ["", "Operations", "starts", "kills", "beyond a limit", "beyond the rate", "use while work waits"],
        rows: [
          [
            "64 Workers, 1000 keys",
            number(chaos.operations),
            number(chaos.starts),
            String(chaos.kills),
            String(chaos.overruns),
            String(chaos.rateOverruns),
            `${number(chaos.utilisation * 100)} %`,
          ],
        ],
      },
      {
        title: "Redis processor time per life in µs, by what an Operation bears",
        columns: ["", "µs", "vs none", "vs a record"],
        rows: kinds.map((kind) => [
          kind,
          number(cost(kind)),
          times(cost(kind) / cost("fast")),
          times(cost(kind) / cost("record")),
        ]),
        notes: ["fast: nothing. record: nothing, but by the full path, as with a priority or a delay."],
      },
    ],
    charts: [
      {
        file: "redis-cpu-by-limit.svg",
        svg: barChart({
          title: "Redis processor time per Operation (shorter is better)",
          axis: "µs per life",
          scale: "linear",
          series: ["median"],
          groups: kinds.map((kind) => ({ label: kind, values: [cost(kind)] })),
        }),
      },
    ],
    voids: chaos.completed === chaos.operations ? [] : [`${chaos.operations - chaos.completed} were not completed`],
  };
}

/** How many starts it takes, four at once, until the last of a few has begun that came behind a flood. */
async function startsUntil(url: string, flood: number, name: string): Promise<number> {
  const store = new RedisStore({ url, app: "bench" });
  const at = `flood-${name}`;
  try {
    await store.open();
    await store.openSegment(at);
    const laneName = "load.00";
    const { lane } = await store.laneOpen(at, { laneName, queue: null });
    const enqueue = async (first: number, count: number, key: string): Promise<void> => {
      const gates = [{ name: "s#0:", slots }];
      const ties = { key: null, line: null, gates, flow: { name: `s:${key}`, weight: 1 } };
      for (let from = first; from < first + count; from += 1000) {
        const elements = Array.from({ length: Math.min(1000, first + count - from) }, (_, i) => {
          return { counter: from + i, queue: "async", priority: 0, due: null, body: Buffer.from(key), ties };
        });
        await store.enqueueFull(at, { lane, laneName, elements });
      }
    };
    await enqueue(1, flood, "big");
    let request = 1;
    const held: Claim[] = [];
    const claim = async (): Promise<readonly Claim[]> => {
      const { claims } = await store.claim(at, { owner: "w", request, queues: ["async"], max: slots });
      if (claims.length > 0) request++;
      held.push(...claims);
      return claims;
    };
    const end = async (): Promise<void> => {
      const one = held.splice(0, 1);
      await store.complete(at, { owner: "w", retainMs: 1000, held: one, values: one.map(() => Buffer.alloc(1)) });
    };
    for (let i = 0; i < 20 && flood > 0; i++) {
      await claim();
      await end();
    }
    await enqueue(flood + 1, few, "small");
    let starts = 0;
    let begun = 0;
    while (begun < few) {
      for (const { body } of await claim()) {
        starts++;
        if (Buffer.from(body).toString() === "small") begun++;
      }
      if (begun < few) await end();
    }
    return starts;
  } finally {
    await store.close();
  }
}

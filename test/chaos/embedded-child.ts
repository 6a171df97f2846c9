/**
 * The process that embedded-kill.test.ts kills: works on an embedded store as fast as it can and notes, in a file that
 * outlives it, what it was told. Arguments: directory, durability, name of this life, log file.
 */
import { appendFileSync } from "node:fs";
import { type DurabilityLevel, EmbeddedStore } from "@millrace/core/internal";

const [path = "", durability = "aof", life = "", log = ""] = process.argv.slice(2);
const batch = 40;
const retainMs = 3_600_000;
const poison = new Uint8Array([0]);

const store = new EmbeddedStore({
  path,
  app: "kill",
  durability: durability as DurabilityLevel, // the test says which
  rescueAtOpen: { recoveriesMax: 1_000, retainMs, poison },
});
await store.open();
await store.openSegment("s");
process.stdout.write("working\n");
await Promise.all([produce("01"), produce("02"), work("1"), work("2"), work("3")]);

async function produce(digits: string): Promise<void> {
  const laneName = `${life}.${digits}`;
  const { lane } = await store.laneOpen("s", { laneName, queue: "q" });
  for (let first = 1; ; first += batch) {
    const bodies = Array.from({ length: batch }, (_, i) => new Uint8Array(Buffer.from(`${laneName} ${first + i}`)));
    const { answer } = await store.enqueue("s", { lane, laneName, first, bodies });
    if (answer !== "ok") throw new Error(`enqueue answered ${answer}`);
    appendFileSync(log, `enqueued ${laneName} ${first + batch - 1}\n`);
  }
}

async function work(name: string): Promise<void> {
  const owner = `${life}-${name}`;
  for (let request = 1; ; ) {
    await store.promote("s", { max: 1000 });
    const { claims } = await store.claim("s", { owner, request, queues: ["q"], max: batch });
    if (claims.length === 0) continue;
    request += 1;
    const failing = claims.filter(({ counter, attempt }) => counter % 11 === 0 && attempt === 1);
    const returned = claims.filter(
      ({ counter, recoveries, attempt }) => counter % 13 === 0 && recoveries + attempt === 1,
    );
    const done = claims.filter((claim) => !failing.includes(claim) && !returned.includes(claim));
    const [, , { answers }] = await Promise.all([
      store.fail("s", { owner, retainMs, elements: failing.map((one) => ({ ...one, retryInMs: 5, value: poison })) }),
      store.release("s", { owner, retainMs, elements: returned.map((one) => ({ ...one, delayMs: 5 })) }),
      store.complete("s", { owner, retainMs, held: done, values: done.map(({ body }) => body) }),
    ]);
    const lines = done.map(({ laneName, counter, token }, i) => `${answers[i]} ${laneName} ${counter} ${token}\n`);
    appendFileSync(log, lines.join(""));
  }
}

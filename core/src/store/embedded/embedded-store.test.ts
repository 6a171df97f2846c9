/** The embedded store: what a second life finds, and what it refuses to open. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { isMillraceError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import type { DurabilityLevel } from "../../engine/durability.js";
import type { Claim } from "../../engine/transitions.js";
import { EmbeddedStore } from "./embedded-store.js";
import { RecordWriter, STORE_KIND, storeKey } from "./layout.js";
import { openLmdb } from "./lmdb.js";
import { thisOccupant, writeOccupant } from "./occupant.js";
import type { SegmentSnapshot } from "./snapshot.js";

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
const retainMs = 60_000;

const made: { close(): Promise<void> }[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const store of made.splice(0)) await store.close();
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "millrace-embedded-"));
  directories.push(path);
  return path;
}

async function open(
  path: string,
  options: { durability?: DurabilityLevel; app?: string } = {},
): Promise<EmbeddedStore> {
  const store = new EmbeddedStore({ path, app: "app", ...options });
  made.push(store);
  await store.open();
  return store;
}

/** Fills a Segment with something in every state. */
async function fill(store: EmbeddedStore, count = 20): Promise<SegmentSnapshot> {
  await store.openSegment("s");
  await store.recordPause("later", true);
  const fast = await store.laneOpen("s", { laneName: "a.01", queue: "q" });
  const full = await store.laneOpen("s", { laneName: "a.00", queue: null });
  const bodies = Array.from({ length: count }, (_, i) => text(`body ${i} ${"x".repeat(200)}`));
  await store.enqueue("s", { lane: fast.lane, laneName: "a.01", first: 1, bodies });
  const elements = [1, 2, 3].map((counter) => ({
    counter,
    queue: "q",
    priority: counter,
    due: counter === 3 ? { in: 5000 } : null,
    body: text(`full ${counter}`),
  }));
  await store.enqueueFull("s", { lane: full.lane, laneName: "a.00", elements });
  const { claims } = await store.claim("s", { owner: "o", request: 1, queues: ["q"], max: 8 });
  const [one, two, three, four, five, ...rest] = claims;
  if (one === undefined || two === undefined || three === undefined || four === undefined || five === undefined) {
    throw new Error("eight were claimed");
  }
  await store.complete("s", { owner: "o", retainMs, held: [one, three], values: [text("1"), text("3")] });
  await store.fail("s", {
    owner: "o",
    retainMs,
    elements: [
      { ...two, retryInMs: 1000, value: text("again") },
      { ...four, retryInMs: null, value: text("dead") },
    ],
  });
  await store.release("s", { owner: "o", retainMs, elements: [{ ...five, delayMs: null }] });
  await store.progress("s", { owner: "o", elements: rest.slice(0, 1).map((held) => ({ ...held, value: text("%") })) });
  const dots = [count, count - 1, rest[1]?.counter ?? 0].map((counter) => ({ laneName: "a.01", counter }));
  await store.cancel("s", { dots, retainMs, value: text("no") });
  await store.extend("s", { owner: "o" });
  await store.queuePause("s", { queue: "r" });
  return store.snapshot("s");
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "nothing",
    (error: unknown) => (isMillraceError(error) ? `${error.code}: ${error.message}` : String(error)),
  );
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

describe("a store opened again", () => {
  it.each(["memory", "aof", "flushed"] as const)(
    "finds all that was answered before it was closed: %s",
    async (level) => {
      const path = directory();
      const store = await open(path, { durability: level });
      const before = await fill(store);
      await store.close();
      const again = await open(path, { durability: level });
      expect(await again.segments()).toEqual(["s"]);
      expect(again.snapshot("s")).toEqual(before);
      await again.openSegment("t");
      expect((await again.counts("t")).queues).toEqual([{ queue: "later", ready: 0, highest: null, isPaused: true }]);
    },
  );

  it("X4: knows whom a slot was to go to, be it at a fair gate", async () => {
    const path = directory();
    const store = await open(path, { durability: "aof" });
    await store.openSegment("s");
    const { lane } = await store.laneOpen("s", { laneName: "a.00", queue: null });
    const ties = { key: null, line: null, gates: [{ name: "g", slots: 1 }], flow: { name: "f", weight: 1 } };
    const elements = [1, 2, 3].map((counter) => {
      return { counter, queue: "q", priority: 0, due: null, body: text(`${counter}`), ties };
    });
    await store.enqueueFull("s", { lane, laneName: "a.00", elements });
    const claim = async (from: EmbeddedStore, request: number): Promise<readonly Claim[]> =>
      (await from.claim("s", { owner: "o", request, queues: ["q"], max: 8 })).claims;
    const held = await claim(store, 1);
    await store.queuePause("s", { queue: "q" });
    await store.complete("s", { owner: "o", retainMs, held, values: held.map(() => text("")) });
    const before = store.snapshot("s");
    await store.close();
    const again = await open(path, { durability: "aof" });
    expect(again.snapshot("s")).toEqual(before);
    await again.cancel("s", { dots: [{ laneName: "a.00", counter: 2 }], retainMs, value: text("no") });
    await again.queueResume("s", { queue: "q" });
    expect((await claim(again, 2)).map(({ counter }) => counter)).toEqual([3]);
  });

  it("names the owners that died, and rescues them at once if asked to", async () => {
    const path = directory();
    const store = await open(path);
    await fill(store);
    await store.close();
    const again = await open(path);
    expect(again.deadOwners()).toEqual([{ segment: "s", owner: "o", beat: 2, held: 3 }]);
    await again.close();
    const rescueAtOpen = { recoveriesMax: 3, retainMs, poison: text("poison") };
    const third = new EmbeddedStore({ path, app: "app", rescueAtOpen });
    made.push(third);
    await third.open();
    expect(third.deadOwners()).toEqual([]);
    expect(await third.counts("s")).toMatchObject({ running: 0, owners: [], totals: { rescued: 2, cancelled: 3 } });
  });

  it("gives an old claim's reply again: the same claims for the same request", async () => {
    const path = directory();
    const store = await open(path);
    await store.openSegment("s");
    const { lane } = await store.laneOpen("s", { laneName: "a.01", queue: "q" });
    await store.enqueue("s", { lane, laneName: "a.01", first: 1, bodies: [text("a"), text("b")] });
    const ask = { owner: "o", request: 7, queues: ["q"], max: 5 };
    const { claims } = await store.claim("s", ask);
    await store.close();
    const again = await open(path);
    const repeated = await again.claim("s", ask);
    const plain = (all: typeof claims) => all.map((one) => ({ ...one, body: Buffer.from(one.body).toString() }));
    expect(plain(repeated.claims)).toEqual(plain(claims));
  });
});

describe("a store in use", () => {
  it("is refused to a second store of this process, with the way out", async () => {
    const path = directory();
    await open(path);
    const answer = await refusal(open(path, { app: "other" }));
    expect(answer).toMatch(/^MR_STORE_LOCKED: .*this one, for App app; give each App a directory of its own/);
  });

  it("is refused while another process lives that opened it, and taken over when it does not", async () => {
    const path = directory();
    await (await open(path)).close();
    const enter = async (changes: object): Promise<void> => {
      const file = openLmdb(path);
      const writer = new RecordWriter();
      writer.begin();
      writeOccupant(writer, { ...thisOccupant("other"), ...changes });
      writer.end(storeKey(STORE_KIND.occupant));
      file.exchange(() => writer.take());
      await file.close();
    };
    const parent = process.ppid;
    const started = readFileSync(`/proc/${parent}/stat`, "latin1").split(") ")[1]?.split(" ")[19] ?? "";
    await enter({ pid: parent, startedAt: started });
    expect(await refusal(open(path))).toMatch(new RegExp(`^MR_STORE_LOCKED: .*process ${parent} on .*App other`));
    await enter({ pid: parent, startedAt: "1" });
    await (await open(path)).close();
    await enter({ pid: 4_000_000, startedAt: "1" });
    await (await open(path)).close();
    await enter({ pid: parent, startedAt: started, bootId: "another boot" });
    await (await open(path)).close();
  });

  it("belongs to the App that made it", async () => {
    const path = directory();
    await (await open(path)).close();
    expect(await refusal(open(path, { app: "other" }))).toMatch(/^MR_STORE_UNSAFE: .*belongs to App app, not to other/);
  });
});

describe("a directory that cannot be a store", () => {
  it("is refused when it cannot be made", async () => {
    const inTheWay = join(directory(), "file");
    writeFileSync(inTheWay, "no directory");
    expect(await refusal(open(join(inTheWay, "store")))).toMatch(/^MR_STORE_UNSAFE: .*cannot be made or written/);
  });

  it("is refused and left as it is when its file is not LMDB's", async () => {
    for (const content of [Buffer.from("hello"), Buffer.alloc(10_000, 1), Buffer.alloc(8192)]) {
      const path = directory();
      const file = join(path, "data.mdb");
      writeFileSync(file, content);
      const before = digest(file);
      expect(await refusal(open(path))).toMatch(/^MR_STORE_CORRUPT: .*left untouched/);
      expect(digest(file)).toBe(before);
    }
  });

  it("is refused and left as it is when its records are somebody else's", async () => {
    const path = directory();
    const foreign = openLmdb(path);
    foreign.exchange(() => [{ key: Buffer.from("k"), value: Buffer.from("v") }]);
    await foreign.close();
    const before = digest(join(path, "data.mdb"));
    expect(await refusal(open(path))).toMatch(/^MR_STORE_CORRUPT: .*not Millrace's/);
    expect(digest(join(path, "data.mdb"))).toBe(before);
  });

  it("is refused and left as it is when a newer Millrace wrote it", async () => {
    const path = directory();
    await (await open(path)).close();
    const newer = openLmdb(path);
    const writer = new RecordWriter();
    writer.begin();
    writer.text("millrace");
    writer.uint(99);
    writer.text("app");
    writer.text("something new");
    writer.end(storeKey(STORE_KIND.about));
    newer.exchange(() => writer.take());
    await newer.close();
    const before = digest(join(path, "data.mdb"));
    expect(await refusal(open(path))).toMatch(/^MR_STORE_VERSION: .*schema 99, this Millrace needs 1/);
    expect(digest(join(path, "data.mdb"))).toBe(before);
  });
});

describe("a damaged file", () => {
  const damage = async (spoil: (file: string, round: number) => void, rounds: number) => {
    const source = directory();
    const store = await open(source);
    const whole = await fill(store, 400);
    await store.close();
    const answers = { refused: 0, harmless: 0 };
    for (let round = 0; round < rounds; round++) {
      const path = directory();
      cpSync(join(source, "data.mdb"), join(path, "data.mdb"));
      spoil(join(path, "data.mdb"), round);
      const spoilt = new EmbeddedStore({ path, app: "app" });
      const answer = await refusal(spoilt.open());
      if (answer === "nothing") {
        // What was hit held nothing, or LMDB went back to the transaction before: never something else.
        const found = (await spoilt.segments()).includes("s") ? spoilt.snapshot("s") : null;
        if (found !== null) expect(found).toEqual(whole);
        answers.harmless++;
      } else {
        expect(answer).toMatch(/^MR_STORE_(CORRUPT|VERSION|UNAVAILABLE|UNSAFE)/);
        answers.refused++;
      }
      await spoilt.close();
    }
    return answers;
  };

  it("is refused when it is cut short, wherever", async () => {
    const answers = await damage((file, round) => {
      truncateSync(file, Math.floor((readFileSync(file).length * round) / 24));
    }, 24);
    expect(answers.refused).toBeGreaterThan(15);
  });

  it("is refused, or whole, when a bit of it was flipped, wherever", async () => {
    const random = seededRandom(7);
    const answers = await damage((file) => {
      const bytes = readFileSync(file);
      const at = Math.floor(random.next() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random.next() * 8));
      writeFileSync(file, bytes);
    }, 60);
    expect(answers.refused).toBeGreaterThan(5);
  });
});

describe("a full disk", () => {
  it("refuses new work, lets old work end, and loses nothing", async (context) => {
    const path = directory();
    mkdirSync(join(path, "small"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", join(path, "small")], { stdio: "pipe" });
    } catch (error) {
      context.skip(`a small file system cannot be mounted here: ${String(error).slice(0, 80)}`);
    }
    try {
      await fillDisk(join(path, "small"));
    } finally {
      execFileSync("umount", ["-l", join(path, "small")]);
    }
  });
});

async function fillDisk(mount: string): Promise<void> {
  const path = join(mount, "store");
  const store = await open(path);
  await store.openSegment("s");
  const { lane } = await store.laneOpen("s", { laneName: "a.01", queue: "q" });
  const enqueue = (first: number) =>
    store.enqueue("s", {
      lane,
      laneName: "a.01",
      first,
      bodies: Array.from({ length: 20 }, () => new Uint8Array(10_000)),
    });
  let accepted = 0;
  let answer = "nothing";
  for (; answer === "nothing" && accepted < 4000; accepted += answer === "nothing" ? 20 : 0) {
    answer = await refusal(enqueue(accepted + 1));
  }
  expect(answer).toMatch(/^MR_STORE_FULL: .*KiB are left on its disk/);
  expect(accepted).toBeGreaterThan(500);

  // What is there can still be finished.
  for (let request = 1; request <= 5; request++) {
    const { claims } = await store.claim("s", { owner: "o", request, queues: ["q"], max: 20 });
    const values = claims.map(() => new Uint8Array(100));
    const { answers } = await store.complete("s", { owner: "o", retainMs: 1000, held: claims, values });
    expect(new Set(answers)).toEqual(new Set(["ok"]));
  }

  // Somebody else takes the rest of the disk: now even finishing has no room, and nothing may be said.
  writeFileSync(join(mount, "other"), Buffer.alloc(1024));
  const other = join(mount, "other");
  let taken = 0;
  for (const size of [1024 * 1024, 64 * 1024, 4096]) {
    try {
      for (;;) {
        writeFileSync(other, Buffer.alloc(size), { flag: "a" });
        taken += size;
      }
    } catch {
      // full at this size
    }
  }
  expect(taken).toBeGreaterThan(0);
  const outcomes: string[] = [];
  for (let request = 6; request <= 45; request++) {
    const ask = { owner: "o", request, queues: ["q"], max: 20 };
    const claimed = await store.claim("s", ask).catch((error: unknown) => error);
    if (isMillraceError(claimed)) outcomes.push(claimed.code);
    if (claimed instanceof Error) continue;
    const { claims } = claimed as Awaited<ReturnType<EmbeddedStore["claim"]>>; // not an error
    const values = claims.map(() => new Uint8Array(20_000));
    outcomes.push(await refusal(store.complete("s", { owner: "o", retainMs: 1000, held: claims, values })));
  }
  expect(outcomes.every((one) => /^(nothing|MR_INDETERMINATE|MR_STORE_UNAVAILABLE)/.test(one))).toBe(true);

  // Room again: what was refused is written, and the store goes on with everything it had.
  rmSync(other);
  await store.ready();
  const { totals, running } = await store.counts("s");
  expect(totals.enqueued).toBe(accepted);
  await store.close();
  const again = await open(path);
  expect(await again.counts("s")).toMatchObject({
    running,
    totals: { enqueued: accepted, completed: totals.completed },
  });
}

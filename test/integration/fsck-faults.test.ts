/** X19 on real Redis: every kind of fault is planted by hand, found, mended in the call that finds it, and gone. */
import { FINDINGS, type FindingKind } from "@millrace/core/internal";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { checkAll, everything } from "../conformance/store/inspecting.js";
import type { Lane } from "../conformance/store/scene.js";
import { type RedisScene, redisScenes } from "../helper/redis-scenes.js";

/** What a fault is planted in. */
interface Field extends RedisScene {
  /** Of the fast and the full path: what is where, see `everything`. */
  readonly lane: Lane;
  readonly full: Lane;
  /** The only slice of finished records, and the record of the completed one. */
  readonly slice: string;
  readonly record: Buffer;
}

function address({ lane }: Lane, counter: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntBE(lane, 0, 3);
  bytes.writeUIntBE(counter, 3, 5);
  return bytes;
}

function number(lane: Lane): Buffer {
  return address(lane, 0).subarray(0, 3);
}

function entry(token: number, element: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeBigUInt64BE(BigInt(token));
  return Buffer.concat([head, element]);
}

function marks(accepted: number, claimed: number, record: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUIntBE(accepted, 0, 5);
  head.writeUIntBE(claimed, 5, 5);
  return Buffer.concat([head, record.subarray(10)]);
}

const fast = (lane: Lane, counter: number) => Buffer.concat([address(lane, counter), Buffer.from("body")]);

async function setMarks({ redis, root }: Field, lane: Lane, accepted: number, claimed: number): Promise<void> {
  const record = await redis.hgetBuffer(`${root}:w`, number(lane));
  if (record === null) throw new Error("the lane has no record");
  await redis.hset(`${root}:w`, number(lane), marks(accepted, claimed, record));
}

/** How each fault comes to be. */
const faults: Readonly<Partial<Record<FindingKind, (field: Field) => Promise<unknown>>>> = {
  lane_marks: async (f) => setMarks(f, await f.s.fast("other", "z9.01"), 0, 2),
  lane_name: async ({ s, redis, root }) => {
    await s.fast("other", "z9.01");
    await redis.hdel(`${root}:l`, "z9.01");
  },
  lane_gone: async ({ redis, root }) => redis.hset(`${root}:l`, "ghost.01", Buffer.from([0, 9, 9])),
  lane_queue: async ({ s, redis, root }) => {
    await s.fast("other", "z9.01");
    await redis.hdel(`${root}:q`, "other");
  },
  lane_count: async ({ redis, root }) => redis.hset(root, "lanes", "1"),
  owner_hidden: async ({ s, redis, root }) => {
    await s.claim("a1", 1);
    await redis.hdel(`${root}:b`, "a1");
  },
  token_behind: async ({ redis, root }) => redis.hset(root, "token", "1"),
  priority_empty: async ({ redis, root }) => redis.zadd(`${root}:p:q`, "55", "55"),
  priority_hidden: async ({ redis, root }) => redis.zrem(`${root}:p:q`, "-7"),
  withdrawn_count: async ({ redis, root }) => redis.hset(`${root}:xn`, "q", "9"),
  withdrawn_stale: async ({ redis, root, lane }) => {
    await redis.hset(`${root}:x`, address(lane, 1), "q");
    await redis.hincrby(`${root}:xn`, "q", 1);
  },
  ready_twice: async ({ redis, root, full }) => redis.rpush(`${root}:r:q`, address(full, 4)),
  ready_held: async ({ redis, root, full }) => redis.rpush(`${root}:r:q`, address(full, 2)),
  ready_scheduled: async ({ redis, root, full }) => redis.rpush(`${root}:r:q`, address(full, 1)),
  ready_dead: async ({ redis, root, lane }) => redis.rpush(`${root}:r:q`, address(lane, 2)),
  ready_recordless: async ({ redis, root, full }) => redis.rpush(`${root}:r:q`, address(full, 77)),
  ready_elsewhere: async ({ redis, root, full }) => {
    await redis.lrem(`${root}:r:q`, 1, address(full, 4));
    await redis.rpush(`${root}:r:q:-7`, address(full, 4));
  },
  ready_finished: async ({ redis, root, lane, slice, record }) =>
    redis.hset(`${root}:d:${slice}`, address(lane, 6), record),
  ready_claimed: async ({ redis, root, lane }) => redis.rpush(`${root}:r:q`, fast(lane, 1)),
  ready_beyond: async ({ redis, root, lane }) => redis.rpush(`${root}:r:q`, fast(lane, 13)),
  held_twice: async ({ redis, root, lane }) => redis.hset(`${root}:f:o2`, address(lane, 5), entry(1, fast(lane, 5))),
  held_recordless: async ({ redis, root, full }) =>
    redis.hset(`${root}:f:o1`, address(full, 88), entry(1, address(full, 88))),
  held_finished: async ({ redis, root, full, slice, record }) =>
    redis.hset(`${root}:d:${slice}`, address(full, 2), record),
  held_scheduled: async ({ redis, root, full }) => redis.zadd(`${root}:due`, "1e15", address(full, 2)),
  held_dead: async ({ redis, root, full }) => redis.zadd(`${root}:dl`, "1e15", address(full, 2)),
  held_unclaimed: async (f) => setMarks(f, f.lane, 12, 4),
  mark_stale: async ({ redis, root, lane }) => redis.hset(`${root}:c:o1`, address(lane, 6), "why"),
  lost: async ({ redis, root, full }) => redis.zrem(`${root}:due`, address(full, 1)),
  scheduled_dead: async ({ redis, root, full }) => redis.zadd(`${root}:dl`, "1e15", address(full, 1)),
  scheduled_recordless: async ({ redis, root, full }) => redis.zadd(`${root}:due`, "1e15", address(full, 66)),
  dead_recordless: async ({ redis, root, full }) => redis.zadd(`${root}:dl`, "1e15", address(full, 66)),
  counters_recordless: async ({ redis, root, full }) =>
    redis.hset(`${root}:m`, address(full, 66), Buffer.concat([Buffer.alloc(30), Buffer.from("0")])),
  finished_alive: async ({ redis, root, full, slice, record }) =>
    redis.hset(`${root}:d:${slice}`, address(full, 1), record),
  finished_twice: async ({ redis, root, lane, slice, record }) => {
    const [bits = "", slot = ""] = slice.split(":");
    const later = `${bits}:${Number(slot) + 3}`;
    await redis.hset(`${root}:d:${later}`, address(lane, 1), record);
    await redis.zadd(`${root}:ds`, String((Number(slot) + 3) * 2 ** Number(bits)), later);
  },
  slice_expiry: async ({ redis, root, slice }) => redis.zadd(`${root}:ds`, "5", slice),
  waiter_stale: async ({ redis, root, lane }) => redis.hset(`${root}:a`, address(lane, 1), "someone"),
};

/** Something kept by ties of every kind; see `tiedField`. */
const tiedFaults: Readonly<Partial<Record<FindingKind, (field: TiedField) => Promise<unknown>>>> = {
  tie_recordless: async ({ redis, root, full }) => redis.hset(`${root}:t`, address(full, 66), gateTie("g", 1)),
  parked_recordless: async ({ redis, root, full }) => redis.hset(`${root}:pk`, address(full, 66), atGate("g", 9)),
  parked_tieless: async ({ redis, root, full }) => redis.hdel(`${root}:t`, address(full, 3)),
  parked_elsewhere: async ({ redis, root, full }) => redis.zadd(`${root}:due`, "1e15", address(full, 2)),
  parked_missing: async ({ redis, root, full }) => redis.zrem(`${root}:gw:g`, address(full, 2)),
  parked_stale: async ({ redis, root, full }) => redis.zadd(`${root}:gw:g`, "0", address(full, 7)),
  slots_count: async ({ redis, root }) => redis.hset(`${root}:gu`, "g", "5"),
  gate_idle: async ({ redis, root, full }) => {
    for (const counter of [2, 3]) await redis.hset(`${root}:t`, address(full, counter), gateTie("g", 2));
  },
  fair_hidden: async ({ redis, root }) => redis.zrem(`${root}:fp:qf`, "0"),
  pace_hidden: async ({ redis, root }) => redis.zrem(`${root}:gd`, "p"),
  live_unread: async ({ redis, root }) => redis.hset(`${root}:go`, "g", "nonsense"),
  candidate_stale: async ({ redis, root, full }) =>
    redis.hset(`${root}:cd`, address(full, 1), atGate("g", 1).subarray(1)),
  line_stale: async ({ redis, root, full }) => redis.zadd(`${root}:ol:l`, "0", address(full, 66)),
  line_missing: async ({ redis, root, full }) => redis.zrem(`${root}:ol:l`, address(full, 6)),
  line_stuck: async ({ redis, root, full }) => {
    await redis.lrem(`${root}:r:ql`, 1, address(full, 4));
    await redis.hset(`${root}:pk`, address(full, 4), inLine("l"));
  },
  line_ahead: async ({ redis, root, full }) => {
    await redis.hdel(`${root}:pk`, address(full, 5));
    await redis.rpush(`${root}:r:ql`, address(full, 5));
  },
  key_stale: async ({ redis, root, full }) =>
    redis.hset(`${root}:uk`, "ghost", Buffer.concat([Buffer.from("l"), address(full, 66), Buffer.alloc(14)])),
  key_unending: async ({ redis, root, full }) =>
    redis.zrem(`${root}:ukx`, Buffer.concat([address(full, 12), Buffer.from("w")])),
  key_expiry: async ({ redis, root, full }) =>
    redis.zadd(`${root}:ukx`, "1e15", Buffer.concat([address(full, 66), Buffer.from("gone")])),
  lapse_stale: async ({ redis, root, full }) => {
    const record = await redis.hgetBuffer(`${root}:lp`, address(full, 14));
    await redis.hset(`${root}:lp`, address(full, 12), record ?? "");
    await redis.zadd(`${root}:lpd`, "1e15", address(full, 12));
  },
  lapse_time: async ({ redis, root, full }) => redis.zrem(`${root}:lpd`, address(full, 15)),
  lapse_recordless: async ({ redis, root, full }) => redis.zadd(`${root}:lpd`, "1e15", address(full, 66)),
};

interface TiedField extends RedisScene {
  readonly full: Lane;
}

function gateTie(name: string, slots: number): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 0, slots, name.length]), Buffer.from(name)]);
}

function atGate(name: string, ticket: number): Buffer {
  return Buffer.concat([Buffer.from("g"), address({ lane: 0, laneName: "" }, ticket), Buffer.from(name)]);
}

function inLine(name: string): Buffer {
  return Buffer.concat([Buffer.from("l"), Buffer.alloc(8), Buffer.from(name)]);
}

/**
 * 1 has the slot of gate g, 2 and 3 are kept there; 4 is the first of line l, 5 and 6 are kept; 7 has key k; 8 went
 * through pace p, 9 waits for it; 10 has ended and let 11 on, a candidate of gate h; 12 has ended, its key w has not;
 * 13 waits for its fair turn; 14 and 15 are to expire, 14 runs.
 */
async function tiedField(): Promise<TiedField> {
  const scene = await openScene();
  const { s } = scene;
  const full = await s.full();
  const none = { key: null, line: null, gates: [] };
  const key = { mode: "return" as const, digest: Buffer.alloc(8), replaced: null };
  const lapse = { startInMs: 600_000, endInMs: 900_000, retainMs: 60_000, value: Buffer.from("late") };
  const gated = { ...none, gates: [{ name: "g", slots: 1 }] };
  const paced = { ...none, gates: [{ name: "p", everyMs: 60_000, burst: 1 }] };
  const other = { ...none, gates: [{ name: "h", slots: 1 }] };
  await s.enqueueFull(full, [
    ...[1, 2, 3].map((counter) => ({ counter, queue: "qg", ties: gated })),
    ...[4, 5, 6].map((counter) => ({ counter, queue: "ql", ties: { ...none, line: "l" } })),
    { counter: 7, queue: "qk", ties: { ...none, key: { ...key, name: "k", windowMs: null } } },
    ...[8, 9].map((counter) => ({ counter, queue: "qp", ties: paced })),
    ...[10, 11].map((counter) => ({ counter, queue: "qh", ties: other })),
    { counter: 13, queue: "qf", ties: { ...none, flow: { name: "a", weight: 1 } } },
    ...[14, 15].map((counter) => ({ counter, queue: "qe", ties: { ...none, lapse } })),
    { counter: 12, queue: "qw", ties: { ...none, key: { ...key, name: "w", windowMs: 600_000 } } },
  ]);
  await s.claim("o4", 1, ["qe"]);
  for (const queue of ["qg", "qp"]) await s.claim("o1", 10, [queue]);
  for (const queue of ["qh", "qw"]) await s.complete("o1", await s.claim("o1", 10, [queue]));
  return { ...scene, full };
}

const openScene = redisScenes();

async function field(): Promise<Field> {
  const scene = await openScene();
  const { s, redis, root } = scene;
  const { lane, full } = await everything(s);
  const [slice = ""] = await redis.zrange(`${root}:ds`, "0", "-1");
  const record = (await redis.hgetBuffer(`${root}:d:${slice}`, address(lane, 1))) ?? Buffer.alloc(0);
  return { ...scene, lane, full, slice, record };
}

describe("X19: fsck on Redis", () => {
  it("plants every kind that Redis can have", () => {
    const kinds = Object.keys(FINDINGS).filter((kind) => kind !== "list_count" && kind !== "held_count");
    expect([...Object.keys(faults), ...Object.keys(tiedFaults)].sort()).toEqual(kinds.sort());
  });

  it.each(Object.entries(faults))("finds and mends %s", async (kind, plant) => {
    const f = await field();
    expect(await checkAll(f.s)).toEqual([]);
    await plant(f);
    const found = (await checkAll(f.s)).map((finding) => finding.kind);
    expect(found).toContain(kind);
    const mended = (await checkAll(f.s, true)).map((finding) => finding.kind);
    expect(mended).toContain(kind);
    expect(await checkAll(f.s)).toEqual([]);
    // What reads every key on its own account finds no contradiction either.
    await f.s.snapshot();
    f.s.close();
  });

  it.each(Object.entries(tiedFaults))("finds and mends %s, and what is tied goes on in order", async (kind, plant) => {
    const f = await tiedField();
    expect(await checkAll(f.s)).toEqual([]);
    await plant(f);
    expect((await checkAll(f.s)).map((finding) => finding.kind)).toContain(kind);
    expect((await checkAll(f.s, true)).map((finding) => finding.kind)).toContain(kind);
    expect(await checkAll(f.s)).toEqual([]);
    await f.s.snapshot();
    // The line goes on one by one, in order; a repaired stray may have put its member at the end.
    const order: string[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const claims = await f.s.claim("o2", 10, ["ql"]);
      expect(claims).toHaveLength(1);
      order.push(...claims.map(({ body }) => Buffer.from(body).toString()));
      await f.s.complete("o2", claims);
    }
    expect(order).toEqual(["f4", "f5", "f6"]);
    expect(await f.s.claim("o3", 10, ["qf"])).toHaveLength(1);
    f.s.close();
  });

  it.each([
    ["is missing there", "parked_missing", (f: TiedField) => f.redis.del(`${f.root}:gw:~qf:0`, `${f.root}:fp:qf`)],
    [
      "is in no place",
      "lost",
      (f: TiedField) =>
        f.redis.multi().del(`${f.root}:gw:~qf:0`, `${f.root}:fp:qf`).hdel(`${f.root}:pk`, address(f.full, 13)).exec(),
    ],
  ] as const)("brings work that waits for its fair turn and %s back to its gate", async (_, kind, plant) => {
    const f = await tiedField();
    await plant(f);
    expect((await checkAll(f.s, true)).map((finding) => finding.kind)).toContain(kind);
    expect(await checkAll(f.s)).toEqual([]);
    expect(await f.redis.exists(`${f.root}:r:qf`)).toBe(0);
    expect(await f.s.claim("o3", 10, ["qf"])).toHaveLength(1);
    f.s.close();
  });

  it.each([
    ["slots_count", (redis: Redis, root: string) => redis.hset(`${root}:gu`, "g", "2")],
    ["slots_count", (redis: Redis, root: string) => redis.hdel(`${root}:gu`, "g")],
    ["lane_queue", (redis: Redis, root: string) => redis.hset(`${root}:q`, "q", "0")],
    ["lane_queue", (redis: Redis, root: string) => redis.hdel(`${root}:q`, "q")],
    ["lane_count", (redis: Redis, root: string) => redis.hset(root, "lanes", "0")],
  ])("X4: finds and mends %s of a tied lane, where limits hold again", async (kind, plant) => {
    const { s, redis, root } = await openScene();
    const laneName = "a1.05";
    const { lane } = await s.store.laneOpen(s.segment, { laneName, queue: "q", isTied: true });
    const bodies = ["a", "b", "c"].map((text) => Buffer.from(text));
    const gates = bodies.map(() => [{ name: "g", slots: 1 }]);
    await s.store.enqueue(s.segment, { lane, laneName, first: 1, bodies, gates });
    const held = await s.claim("o1", 1);
    expect(await checkAll(s)).toEqual([]);
    await plant(redis, root);
    expect((await checkAll(s, true)).map((finding) => finding.kind)).toEqual([kind]);
    expect(await checkAll(s)).toEqual([]);
    expect(await s.claim("o2")).toEqual([]);
    await s.complete("o1", held);
    expect(await s.claimTexts("o2")).toEqual(["b"]);
    await s.snapshot();
    s.close();
  });

  it("X4: refuses a tied lane's elements whose ties are malformed, and writes nothing", async () => {
    const { s, redis, root } = await openScene();
    const laneName = "a1.05";
    const { lane } = await s.store.laneOpen(s.segment, { laneName, queue: "q", isTied: true });
    const at = { lane, laneName };
    const tie = gateTie("g", 1);
    const length = (bytes: number) => Buffer.from([bytes >> 8, bytes & 255]);
    const body = Buffer.from("body");
    const sound = Buffer.concat([address(at, 1), length(tie.length), tie, body]);
    const before = await s.snapshot();
    const broken = [
      address(at, 2),
      Buffer.concat([address(at, 2), Buffer.from([0])]),
      Buffer.concat([address(at, 2), length(0), body]),
      Buffer.concat([address(at, 2), length(tie.length), tie]),
      Buffer.concat([address(at, 2), length(tie.length), tie.subarray(0, 5)]),
      Buffer.concat([address(at, 2), length(tie.length - 1), tie, body]),
      Buffer.concat([address(at, 2), length(2), Buffer.alloc(2), body]),
      Buffer.concat([address(at, 2), length(3), Buffer.from([1, 107, 0]), body]),
      Buffer.concat([address(at, 2), length(tie.length + 1), Buffer.from([1, 107]), tie.subarray(1), body]),
    ];
    for (const element of broken) {
      const args = [number(at), laneName, "1", "", sound, element];
      const refused = redis.callBuffer("FCALL", "mrt1_enqueue", "1", root, ...args);
      await expect(refused).rejects.toThrow(/BADARGS/);
    }
    expect(await s.snapshot()).toEqual(before);
    s.close();
  });

  it("does not claim what stands at a fair gate without being parked there", async () => {
    const f = await tiedField();
    expect(await f.s.claim("o3", 10, ["qf"])).toHaveLength(1);
    await f.redis.zadd(`${f.root}:gw:~qf:0`, "0", address(f.full, 13));
    await f.redis.zadd(`${f.root}:fp:qf`, "0", "0");
    expect(await f.s.claim("o3", 10, ["qf"])).toEqual([]);
    f.s.close();
  });

  it("finds and mends many at once, and work goes on with nothing lost and nothing run twice", async () => {
    const f = await field();
    const many: FindingKind[] = [
      "lost",
      "priority_hidden",
      "ready_twice",
      "ready_claimed",
      "ready_held",
      "withdrawn_count",
      "mark_stale",
      "scheduled_recordless",
      "counters_recordless",
    ];
    for (const kind of many) await faults[kind]?.(f);
    const mended = new Set((await checkAll(f.s, true)).map((finding) => finding.kind));
    for (const kind of many) expect(mended).toContain(kind);
    expect(await checkAll(f.s)).toEqual([]);
    await f.s.advance(100_000);
    await f.s.promote();
    const bodies = (await f.s.claim("o3")).map(({ body }) => Buffer.from(body).toString());
    expect(bodies.sort()).toEqual(["n11", "n12", "n3", "n6", "n7", "n8", "f1", "f3", "f4", "f5"].sort());
    f.s.close();
  });

  it("knows what of the full path was cancelled on a list from what no list has", async () => {
    const f = await field();
    await f.s.cancel(f.full, [3, 4]);
    expect(await checkAll(f.s)).toEqual([]);
    await f.redis.lrem(`${f.root}:r:q`, 1, address(f.full, 4));
    expect((await checkAll(f.s, true)).map(({ kind }) => kind)).toEqual(["withdrawn_stale"]);
    expect(await checkAll(f.s)).toEqual([]);
    await f.s.snapshot();
    f.s.close();
  });

  it("mends bit by bit, a page of one element at a time", async () => {
    const f = await field();
    for (const kind of ["ready_twice", "ready_recordless", "lost"] as const) await faults[kind]?.(f);
    await checkAll(f.s, true, 1);
    await checkAll(f.s, true, 1000);
    expect(await checkAll(f.s)).toEqual([]);
    f.s.close();
  });
});

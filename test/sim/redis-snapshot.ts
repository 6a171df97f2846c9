/**
 * A Segment in Redis as the same plain data the machine's snapshot is, read with plain commands key by key.
 *
 * It knows the layout of every key on its own account (docs/store.md) and shares no code with the store: what the
 * store writes and reads wrongly in the same way is seen here. What contradicts itself is an error, not a snapshot.
 */
import type { GateSnapshot, LiveNumber, SegmentSnapshot } from "@millrace/core/internal";
import type { Redis } from "ioredis";

type Operations = SegmentSnapshot["operations"][number];
type Queues = SegmentSnapshot["queues"][number];

/** A snapshot, and every key that was read for it: whatever else begins with the root is a leak. */
export interface RedisSnapshot {
  readonly snapshot: SegmentSnapshot;
  readonly keys: ReadonlySet<string>;
}

/** A stored Segment that contradicts itself. */
export class InconsistentStore extends Error {}

/**
 * Takes a snapshot of one root, `{app:segment}`; the Segment must be at rest. `existing`, if given, are all keys of the
 * server: then only those are asked for.
 */
export async function redisSnapshot(
  redis: Redis,
  root: string,
  existing?: ReadonlySet<string>,
): Promise<RedisSnapshot> {
  const reader = new Reader(redis, root, existing ?? null);
  const head = await reader.head();
  const lists = await reader.lists(head);
  const body = await reader.body(head);
  return { snapshot: assemble(head, lists, body), keys: reader.keys };
}

interface LaneRow {
  readonly name: string;
  readonly queue: string | null;
  readonly accepted: number;
  readonly claimed: number;
}

interface Dynamic {
  readonly generation: number;
  readonly attempts: number;
  readonly recoveries: number;
  readonly returns: number;
  readonly token: number;
  readonly finishedAtMs: number;
  readonly value: string | null;
}

interface Head {
  readonly root: Map<string, string>;
  readonly lanes: Map<number, LaneRow>;
  readonly paused: Map<string, boolean>;
  readonly owners: Map<string, { beat: number; lastRequest: number; token: number }>;
  readonly statics: Map<string, { priority: number; queue: string; body: string }>;
  readonly dynamics: Map<string, Dynamic>;
  readonly due: [string, number][];
  readonly dead: [string, number][];
  readonly slices: [string, number][];
  readonly windows: number[];
  readonly withdrawn: Map<string, string>;
  readonly withdrawnCounts: Map<string, number>;
  readonly waited: string[];
  readonly totals: Map<string, string>;
  readonly priorities: Map<string, number[]>;
  readonly ties: Map<string, { key: string; line: string; gates: GateSnapshot[]; hasFlow: boolean }>;
  readonly paces: Map<string, number>;
  readonly fairQueues: Map<string, string[]>;
  readonly clocks: Map<string, number>;
  readonly served: Map<string, [string, number][]>;
  readonly opening: Map<string, number>;
  readonly keys: Map<string, Buffer>;
  readonly expiries: [Buffer, number][];
  readonly slots: Map<string, number>;
  readonly limits: Map<string, number>;
  readonly live: Map<string, Buffer>;
  readonly settling: string[];
  readonly parked: Map<string, Buffer>;
  readonly candidates: Map<string, Buffer>;
  readonly lines: Map<string, string[]>;
  readonly parkedAt: Map<string, [string, number][]>;
  readonly lapses: Map<string, Buffer>;
  readonly lapsing: [string, number][];
}

type Lists = Map<string, { priority: number; elements: Buffer[] }[]>;

interface Flight {
  readonly entries: [Buffer, Buffer][];
  readonly cancels: Map<string, string>;
  readonly progress: Map<string, string>;
}

interface Body {
  readonly flights: Map<string, Flight>;
  readonly slices: Map<string, [Buffer, Buffer][]>;
  readonly memories: Map<number, [Buffer, Buffer][]>;
}

class Reader {
  readonly keys = new Set<string>();
  readonly #redis: Redis;
  readonly #root: string;
  readonly #existing: ReadonlySet<string> | null;

  constructor(redis: Redis, root: string, existing: ReadonlySet<string> | null) {
    this.#redis = redis;
    this.#root = root;
    this.#existing = existing;
  }

  async head(): Promise<Head> {
    const [root, lanes, marks, paused, owners, statics, dynamics, withdrawn, counts, waited, totals] =
      await Promise.all(
        ["", ":l", ":w", ":q", ":b", ":op", ":m", ":x", ":xn", ":a", ":n"].map((suffix) => this.#hash(suffix)),
      );
    const [due, dead, slices, windows] = await Promise.all(
      [":due", ":dl", ":ds", ":ks"].map((suffix) => this.#zset(suffix)),
    );
    const numbers = new Map((lanes ?? []).map(([name, number]) => [number.readUIntBE(0, 3), name.toString("latin1")]));
    const names = (paused ?? []).map(([queue]) => queue.toString("latin1"));
    const priorities = await Promise.all(
      names.map(async (queue) => [queue, (await this.#zset(`:p:${queue}`)).map(([member]) => Number(member))] as const),
    );
    const [tied, keys, slots, parked, candidates, limits] = await Promise.all(
      [":t", ":uk", ":gu", ":pk", ":cd", ":gl"].map((suffix) => this.#hash(suffix)),
    );
    const [expiries, paces, opening] = await Promise.all([":ukx", ":gt", ":gd"].map((suffix) => this.#zset(suffix)));
    const lapses = await this.#hash(":lp");
    const [live, settling] = await Promise.all([":go", ":gs"].map((suffix) => this.#hash(suffix)));
    const lapsing = await this.#zset(":lpd");
    const ties = new Map((tied ?? []).map(([address, record]) => [hex(address), tiesOf(record)]));
    const lineNames = [...new Set([...ties.values()].map(({ line }) => line))].filter((line) => line !== "");
    const clocks = new Map([...texts(await this.#hash(":fc"))].map(([gate, clock]) => [gate, Number(clock)]));
    const gateNames = [
      ...new Set([...[...ties.values()].flatMap(({ gates }) => gates.map(({ name }) => name)), ...clocks.keys()]),
    ];
    const served = await Promise.all(
      [...clocks.keys()].map(
        async (gate) =>
          [
            gate,
            (await this.#zset(`:fs:${gate}`)).map(([flow, time]): [string, number] => [flow.toString(), time]),
          ] as const,
      ),
    );
    const fairQueues = await Promise.all(
      names.map(
        async (queue) => [queue, (await this.#zset(`:fp:${queue}`)).map(([member]) => member.toString())] as const,
      ),
    );
    const lines = await Promise.all(
      lineNames.map(
        async (line) => [line, (await this.#zset(`:ol:${line}`)).map(([address]) => hex(address))] as const,
      ),
    );
    const parkedAt = await Promise.all(
      gateNames.map(
        async (gate) =>
          [
            gate,
            (await this.#zset(`:gw:${gate}`)).map(([address, ticket]): [string, number] => [hex(address), ticket]),
          ] as const,
      ),
    );
    const head: Head = {
      ties,
      lapses: new Map((lapses ?? []).map(([address, record]) => [hex(address), record])),
      lapsing: (lapsing ?? []).map(([member, score]) => [hex(member), score]),
      clocks,
      served: new Map(served),
      fairQueues: new Map(fairQueues),
      paces: new Map((paces ?? []).map(([gate, time]) => [gate.toString(), time])),
      opening: new Map((opening ?? []).map(([gate, time]) => [gate.toString(), time])),
      keys: new Map((keys ?? []).map(([key, record]) => [key.toString(), record])),
      expiries: expiries ?? [],
      limits: new Map([...texts(limits)].map(([gate, limit]) => [gate, Number(limit)])),
      live: new Map((live ?? []).map(([name, record]) => [name.toString(), record])),
      settling: (settling ?? []).map(([name]) => name.toString()),
      slots: new Map([...texts(slots)].map(([gate, used]) => [gate, Number(used)])),
      parked: new Map((parked ?? []).map(([address, record]) => [hex(address), record])),
      candidates: new Map((candidates ?? []).map(([address, record]) => [hex(address), record])),
      lines: new Map(lines.filter(([, members]) => members.length > 0)),
      parkedAt: new Map(parkedAt.filter(([, members]) => members.length > 0)),
      root: texts(root),
      lanes: new Map((marks ?? []).map(([number, record]) => [number.readUIntBE(0, 3), laneOf(record)])),
      paused: new Map(
        (paused ?? []).map(([queue, mark]) => [queue.toString("latin1"), Number(mark.toString("latin1")) % 2 === 1]),
      ),
      owners: new Map((owners ?? []).map(([owner, record]) => [owner.toString("latin1"), ownerOf(record)])),
      statics: new Map((statics ?? []).map(([address, record]) => [hex(address), staticOf(record)])),
      dynamics: new Map((dynamics ?? []).map(([address, record]) => [hex(address), dynamicOf(record)])),
      due: (due ?? []).map(([member, score]) => [hex(member), score]),
      dead: (dead ?? []).map(([member, score]) => [hex(member), score]),
      slices: (slices ?? []).map(([member, score]) => [member.toString("latin1"), score]),
      windows: (windows ?? []).map(([member]) => Number(member.toString("latin1"))),
      withdrawn: new Map((withdrawn ?? []).map(([address, queue]) => [hex(address), queue.toString("latin1")])),
      withdrawnCounts: new Map([...texts(counts)].map(([queue, count]) => [queue, Number(count)])),
      waited: (waited ?? []).map(([address]) => hex(address)),
      totals: texts(totals),
      priorities: new Map(priorities),
    };
    for (const [number, name] of numbers) {
      if (head.lanes.get(number)?.name !== name) broken(`lane ${name} has number ${number}, which is another's`);
    }
    if (numbers.size !== head.lanes.size) broken("a lane has no name");
    return head;
  }

  async lists(head: Head): Promise<Lists> {
    const found = await Promise.all(
      [...head.priorities].flatMap(([queue, priorities]) =>
        [...priorities, 0].map(async (priority) => {
          const suffix = priority === 0 ? `:r:${queue}` : `:r:${queue}:${priority}`;
          const elements = await this.#call<Buffer[]>("LRANGE", suffix, "0", "-1");
          if (priority !== 0 && elements.length === 0) broken(`priority ${priority} of ${queue} is listed and empty`);
          return { queue, priority, elements };
        }),
      ),
    );
    const lists: Lists = new Map();
    for (const { queue, ...list } of found.filter(({ elements }) => elements.length > 0)) {
      lists.set(
        queue,
        [...(lists.get(queue) ?? []), list].sort((a, b) => b.priority - a.priority),
      );
    }
    return lists;
  }

  async body(head: Head): Promise<Body> {
    const [flights, slices, memories] = await Promise.all([
      Promise.all(
        [...head.owners.keys()].map(async (owner): Promise<[string, Flight]> => {
          const [entries, cancels, progress] = await Promise.all(
            [`:f:${owner}`, `:c:${owner}`, `:g:${owner}`].map((suffix) => this.#hash(suffix)),
          );
          return [owner, { entries: entries ?? [], cancels: hexes(cancels), progress: hexes(progress) }];
        }),
      ),
      Promise.all(
        head.slices.map(
          async ([member]): Promise<[string, [Buffer, Buffer][]]> => [member, await this.#hash(`:d:${member}`)],
        ),
      ),
      Promise.all(
        head.windows.map(
          async (window): Promise<[number, [Buffer, Buffer][]]> => [window, await this.#hash(`:k:${window}`)],
        ),
      ),
    ]);
    return { flights: new Map(flights), slices: new Map(slices), memories: new Map(memories) };
  }

  /** An array reply; what does not exist is an empty one. */
  async #call<Reply extends readonly unknown[]>(command: string, suffix: string, ...args: string[]): Promise<Reply> {
    const key = this.#root + suffix;
    this.keys.add(key);
    if (this.#existing !== null && !this.#existing.has(key)) return [] as readonly unknown[] as Reply; // of any element type
    return (await this.#redis.callBuffer(command, key, ...args)) as Reply; // the caller knows the command's reply
  }

  async #hash(suffix: string): Promise<[Buffer, Buffer][]> {
    return pairs(await this.#call<Buffer[]>("HGETALL", suffix));
  }

  async #zset(suffix: string): Promise<[Buffer, number][]> {
    // Pairs in RESP3, a flat list in RESP2.
    const reply = await this.#call<Buffer[] | Buffer[][]>("ZRANGE", suffix, "0", "-1", "WITHSCORES");
    return pairs(reply.flat()).map(([member, score]) => [member, Number(score.toString("latin1"))]);
  }
}

function assemble(head: Head, lists: Lists, body: Body): SegmentSnapshot {
  const dot = (address: string) => {
    const lane = head.lanes.get(Number.parseInt(address.slice(0, 6), 16));
    if (lane === undefined) return broken(`address ${address} is of no lane`);
    return { laneName: lane.name, counter: Number.parseInt(address.slice(6), 16) };
  };
  const queues = queuesOf(head, lists, dot);
  const operations = operationsOf(head, lists, body, dot);
  return {
    lanes: [...head.lanes.values()]
      .map(({ name, queue, accepted, claimed }) => ({ laneName: name, queue, accepted, claimed }))
      .sort((a, b) => compare(a.laneName, b.laneName)),
    queues,
    owners: [...head.owners]
      .sort(([a], [b]) => compare(a, b))
      .map(([owner, { beat, lastRequest, token }]) => ({
        owner,
        beat,
        lastRequest,
        held: heldOf(body, owner).map((one) => ({
          ...dot(one.address),
          token: one.token,
          request: one.token === token ? lastRequest : 0,
        })),
      })),
    operations,
    due: head.due.map(([address, dueAtMs]) => ({ ...dot(address), dueAtMs })),
    dead: head.dead.map(([address, expiresAtMs]) => ({
      ...dot(address),
      expiresAtMs,
      finishedAtMs: head.dynamics.get(address)?.finishedAtMs ?? broken(`dead letter ${address} has no record`),
    })),
    slices: slicesOf(head, body, dot),
    windows: [...body.memories]
      .sort(([a], [b]) => a - b)
      .map(([window, dots]) => ({
        window,
        dots: dots.map(([address, digest]) => ({ ...dot(hex(address)), sha1: hex(digest) })).sort(byDot),
      })),
    keys: keysOf(head, dot),
    lines: [...head.lines]
      .sort(([a], [b]) => compare(a, b))
      .map(([line, members]) => ({ line, members: members.map(dot) })),
    gates: gatesOf(head, body, dot),
    live: liveOf(head),
    lapses: lapsesOf(head, dot),
    waited: head.waited.map(dot).sort(byDot),
    totals: totalsOf(head.totals),
    lastToken: Number(head.root.get("token") ?? 0),
  };
}

type DotOf = (address: string) => { laneName: string; counter: number };

function queuesOf(head: Head, lists: Lists, dot: DotOf): Queues[] {
  const recount = new Map<string, number>();
  const queues = [...head.paused]
    .sort(([a], [b]) => compare(a, b))
    .map(([queue, isPaused]) => ({
      queue,
      isPaused,
      lists: (lists.get(queue) ?? []).map(({ priority, elements }) => ({
        priority,
        elements: elements.map((element) => {
          const address = hex(element.subarray(0, 8));
          const isWithdrawn = head.withdrawn.has(address);
          if (isWithdrawn) recount.set(queue, (recount.get(queue) ?? 0) + 1);
          return { ...dot(address), isWithdrawn };
        }),
      })),
    }));
  for (const [queue, count] of head.withdrawnCounts) {
    if (count !== (recount.get(queue) ?? 0))
      broken(`${queue} counts ${count} withdrawn, there are ${recount.get(queue) ?? 0}`);
  }
  const listed = [...recount.values()].reduce((sum, count) => sum + count, 0);
  if (listed !== head.withdrawn.size) broken(`${head.withdrawn.size} are withdrawn, ${listed} of them are on lists`);
  return queues;
}

function operationsOf(head: Head, lists: Lists, body: Body, dot: DotOf): Operations[] {
  const found = new Map<string, Operations>();
  const add = (address: string, operation: Omit<Operations, "laneName" | "counter">): void => {
    if (found.has(address)) broken(`${address} is in two places`);
    found.set(address, { ...dot(address), ...operation });
  };
  const unread = { generation: 0, recoveries: 0, returns: 0, token: 0, value: null, priority: 0 };
  const stored = (address: string, state: Operations["state"], isRunning = false) => {
    const fixed = head.statics.get(address);
    if (fixed === undefined) return broken(`${address} is ${state} and has no record`);
    const { generation, attempts, recoveries, returns, token, value } = head.dynamics.get(address) ?? blank;
    const attempt = isRunning ? attempts + 1 : attempts;
    const counters = { generation, attempt, recoveries, returns, token, value };
    const ties = tiesSnapshot(head, address);
    return { state, queue: fixed.queue, priority: fixed.priority, body: fixed.body, ...counters, ties };
  };
  const rest = { progress: null, cancelReason: null };

  for (const [queue, held] of lists) {
    for (const { priority, elements } of held) {
      for (const element of elements) {
        const address = hex(element.subarray(0, 8));
        if (head.withdrawn.has(address)) continue;
        if (element.length > 8)
          add(address, {
            state: "ready",
            queue,
            attempt: 0,
            ...fastOf(element),
            ...unread,
            ...rest,
          });
        else {
          const operation = stored(address, "ready");
          if (operation.queue !== queue || operation.priority !== priority)
            broken(`${address} is on a list that is not its own`);
          add(address, { ...operation, ...rest });
        }
      }
    }
  }
  for (const address of head.parked.keys()) add(address, { ...stored(address, "ready"), ...rest });
  for (const [address] of head.due) add(address, { ...stored(address, "scheduled"), ...rest });
  for (const [address] of head.dead) add(address, { ...stored(address, "failed"), ...rest });
  for (const [owner, { cancels, progress }] of body.flights) {
    const held = new Set<string>();
    for (const { address, element } of heldOf(body, owner)) {
      held.add(address);
      const notes = { progress: progress.get(address) ?? null, cancelReason: cancels.get(address) ?? null };
      const queue = head.lanes.get(Number.parseInt(address.slice(0, 6), 16))?.queue ?? "";
      const operation: Omit<Operations, "laneName" | "counter" | "progress" | "cancelReason"> =
        element.length > 8
          ? { state: "running", queue, attempt: 1, ...fastOf(element), ...unread }
          : stored(address, "running", true);
      add(address, { ...operation, ...notes });
    }
    for (const address of [...cancels.keys(), ...progress.keys()]) {
      if (!held.has(address)) broken(`${address} has notes of ${owner}, who does not hold it`);
    }
  }
  for (const address of head.statics.keys()) if (!found.has(address)) broken(`${address} has a record and is nowhere`);
  for (const address of head.dynamics.keys())
    if (!head.statics.has(address)) broken(`${address} has counters and no record`);
  for (const address of head.ties.keys()) if (!head.statics.has(address)) broken(`${address} has ties and no record`);
  return [...found.values()].sort(byDot);
}

/** What stands behind the address of a fast element: on a tied lane its tie record, then its enqueued bytes. */
function fastOf(element: Buffer): Pick<Operations, "body" | "ties"> {
  if (element.readUInt8(0) < 0x80) return { body: hex(element.subarray(8)), ties: null };
  const bodyAt = 10 + element.readUInt16BE(8);
  const { key, line, gates } = tiesOf(element.subarray(10, bodyAt));
  if (key !== "" || line !== "" || gates.length === 0)
    broken(`${hex(element)} is of a tied lane, and not only of gates`);
  return { body: hex(element.subarray(bodyAt)), ties: { key: null, line: null, gates, waitsAt: null } };
}

function tiesSnapshot(head: Head, address: string): Operations["ties"] {
  const ties = head.ties.get(address);
  if (ties === undefined) return null;
  const parked = head.parked.get(address);
  const candidate = head.candidates.get(address);
  const kind = parked?.toString("latin1", 0, 1);
  const places: string[] = [];
  if (parked !== undefined) places.push(`${kind === "g" ? "gate" : "line"}:${parked.toString("utf8", 9)}`);
  if (candidate !== undefined) places.push(`candidate:${candidate.toString("utf8", 8)}`);
  return {
    key: ties.key === "" ? null : ties.key,
    line: ties.line === "" ? null : ties.line,
    gates: ties.gates,
    waitsAt: places.join(" ") || null,
  };
}

function lapsesOf(head: Head, dot: DotOf): SegmentSnapshot["lapses"] {
  for (const address of head.lapses.keys()) {
    if (!head.ties.has(address)) broken(`${address} can lapse and has no ties`);
  }
  return head.lapsing.map(([address, at]) => {
    const record = head.lapses.get(address) ?? broken(`${address} is listed to lapse and has no times`);
    const [startByMs, endByMs] = [record.readDoubleBE(0), record.readDoubleBE(8)];
    if (Math.min(startByMs, endByMs) !== at) broken(`${address} is listed to lapse at another time than its own`);
    return {
      ...dot(address),
      startByMs: Number.isFinite(startByMs) ? startByMs : null,
      endByMs: Number.isFinite(endByMs) ? endByMs : null,
      retainMs: record.readDoubleBE(16),
      value: hex(record.subarray(24)),
    };
  });
}

function keysOf(head: Head, dot: DotOf): SegmentSnapshot["keys"] {
  const ended = new Map(head.expiries.map(([member, at]) => [member.toString("utf8", 8), { member, at }]));
  const keys = [...head.keys].map(([key, record]) => {
    const isLive = record.toString("latin1", 0, 1) === "l";
    const address = hex(record.subarray(1, 9));
    const untilMs = record.readUIntBE(17, 6);
    const expiry = ended.get(key);
    if (isLive !== (expiry === undefined)) broken(`key ${key} is listed to expire wrongly`);
    if (expiry !== undefined && (expiry.at !== untilMs || hex(expiry.member.subarray(0, 8)) !== address)) {
      broken(`key ${key} is listed to expire as another`);
    }
    if (isLive && head.ties.get(address)?.key !== key)
      broken(`key ${key} is held by ${address}, which is not tied to it`);
    return { key, ...dot(address), digest: hex(record.subarray(9, 17)), isLive, untilMs };
  });
  if (ended.size !== head.expiries.length || [...ended.keys()].some((key) => !head.keys.has(key))) {
    broken("a key is listed to expire and is not there");
  }
  return keys.sort((a, b) => compare(a.key, b.key));
}

/** Slots are recounted: taken by what runs, and by nothing else. */
function gatesOf(head: Head, body: Body, dot: DotOf): SegmentSnapshot["gates"] {
  const running = new Map<string, number>();
  const said = [...head.ties.values()].flatMap(({ gates }) => gates);
  for (const owner of body.flights.keys()) {
    for (const { address, element } of heldOf(body, owner)) {
      const fast = element.length > 8 ? (fastOf(element).ties?.gates ?? []) : [];
      said.push(...fast);
      for (const tie of head.ties.get(address)?.gates ?? fast)
        if ("slots" in tie) running.set(tie.name, (running.get(tie.name) ?? 0) + 1);
    }
  }
  const { slots: taken, parkedAt, paces, opening, limits } = head;
  const names = new Set(
    [taken, parkedAt, running, paces, opening, limits, head.clocks].flatMap((map) => [...map.keys()]),
  );
  return [...names].sort(compare).map((gate) => {
    const used = head.slots.get(gate) ?? 0;
    if (used !== (running.get(gate) ?? 0)) broken(`gate ${gate} counts ${used}, there run ${running.get(gate) ?? 0}`);
    const parked = (head.parkedAt.get(gate) ?? []).map(([address, ticket]) => {
      const record = head.parked.get(address);
      const isAt = head.ties.get(address)?.hasFlow ? record?.readDoubleBE(1) : record && token64(record, 1);
      if (record?.toString("utf8", 9) !== gate || isAt !== ticket) broken(`${address} is parked at two places`);
      return dot(address);
    });
    const ties = said.filter(({ name }) => name === gate);
    const [tie] = ties;
    const limit = limits.get(gate) ?? null;
    const live = liveNumberOf(head.live.get(gate) ?? head.live.get(gate.replace(/:.*/, "")));
    // What ran by a live limit that was taken back goes on.
    const isEverLive = gate !== "g1";
    const liveSlots = live !== null && "slots" in live ? live.slots : null;
    const slots = liveSlots ?? limit ?? (tie !== undefined && "slots" in tie ? tie.slots : 0);
    // While limits differ, what came with one may run by another.
    const isAgreed =
      ties.every((one) => "slots" in one && (one.slots === slots || liveSlots !== null)) && head.settling.length === 0;
    if (limit !== null && used + parked.length === 0) broken(`gate ${gate} is idle and has a limit`);
    const candidates = [...head.candidates.values()].filter((record) => record.toString("utf8", 8) === gate).length;
    if (gate.startsWith("~")) {
      const [queue = "", priority = ""] = gate.slice(1).split(":");
      if ((head.fairQueues.get(queue) ?? []).includes(priority) !== parked.length > 0)
        broken(`fair gate ${gate} is listed wrongly`);
    }
    const clock = head.clocks.get(gate);
    // What the clock has passed is forgotten a few at a time, and counts for nothing until then.
    const beyond = (head.served.get(gate) ?? []).filter(([, time]) => time > (clock ?? 0));
    const served = beyond.sort(([a], [b]) => compare(a, b));
    if (isAgreed && !isEverLive && limit === null && used > slots)
      broken(`gate ${gate} has ${slots} slots and ${used} run`);
    if (isAgreed && tie !== undefined && parked.length > 0 && candidates < slots - used)
      broken(`gate ${gate} has slots free for what is parked there`);
    if (tie !== undefined && "everyMs" in tie && parked.length > 0 && !opening.has(gate))
      broken(`nobody opens pace ${gate}`);
    return {
      gate,
      used,
      limit,
      takenMs: paces.get(gate) ?? 0,
      opensAtMs: opening.get(gate) ?? null,
      parked,
      fair: clock === undefined ? null : { clock, served },
    };
  });
}

/** A live record: a letter, 6 bytes of time, and the numbers. */
function liveNumberOf(record: Buffer | undefined): LiveNumber | null {
  if (record === undefined) return null;
  const isPace = record[0] === 0x70;
  if (record.length !== (isPace ? 19 : 11)) broken("a live limit has a record of another length");
  return isPace
    ? { everyMs: record.readDoubleBE(7), burst: record.readUInt32BE(15) }
    : { slots: record.readUInt32BE(7) };
}

function liveOf({ live, settling }: Head): SegmentSnapshot["live"] {
  return [...new Set([...live.keys(), ...settling])].sort(compare).map((name) => {
    const record = live.get(name);
    const sinceMs = record?.readUIntBE(1, 6) ?? null;
    return { name, number: liveNumberOf(record), sinceMs, isSettling: settling.includes(name) };
  });
}

function slicesOf(head: Head, body: Body, dot: DotOf): SegmentSnapshot["slices"] {
  const slices = head.slices.map(([member, expiresAtMs]) => {
    const [bits = "", number = ""] = member.split(":");
    const widthMs = 2 ** Number(bits);
    if (Number(number) * widthMs !== expiresAtMs) broken(`slice ${member} is listed to expire at ${expiresAtMs}`);
    const records = body.slices.get(member) ?? [];
    return {
      expiresAtMs,
      widthMs,
      // A record is blank once its dot was enqueued anew, long after its memory had ended; the slice still counts it.
      records: records
        .filter(([, record]) => record.length > 0)
        .map(([address, record]) => ({ ...dot(hex(address)), ...finishedOf(record) }))
        .sort(byDot),
    };
  });
  return slices.sort((a, b) => a.expiresAtMs - b.expiresAtMs || a.widthMs - b.widthMs);
}

function heldOf(body: Body, owner: string) {
  return (body.flights.get(owner)?.entries ?? [])
    .map(([address, entry]) => ({
      address: hex(address),
      token: token64(entry, 0),
      place: entry.readUInt16BE(8),
      element: entry.subarray(10),
    }))
    .sort((a, b) => a.token - b.token || a.place - b.place);
}

// ── Records ────────────────────────────────────────────────────────────────────────────────────────────────────────

const blank: Dynamic = {
  generation: 0,
  attempts: 0,
  recoveries: 0,
  returns: 0,
  token: 0,
  finishedAtMs: 0,
  value: null,
};

function laneOf(record: Buffer): LaneRow {
  const length = record.readUInt8(10);
  const queue = record.toString("latin1", 11, 11 + length);
  return {
    accepted: record.readUIntBE(0, 5),
    claimed: record.readUIntBE(5, 5),
    queue: queue === "" ? null : queue,
    name: record.toString("latin1", 11 + length),
  };
}

function ownerOf(record: Buffer) {
  return { beat: record.readUIntBE(0, 6), lastRequest: record.readUIntBE(6, 5), token: token64(record, 11) };
}

function staticOf(record: Buffer) {
  const length = record.readUInt8(2);
  return {
    priority: record.readInt16BE(0),
    queue: record.toString("latin1", 3, 3 + length),
    body: hex(record.subarray(3 + length)),
  };
}

const FULL_MODES = ["skip", "cancel_newest", "cancel_oldest"] as const;

function tiesOf(record: Buffer): { key: string; line: string; gates: GateSnapshot[]; hasFlow: boolean } {
  let at = 0;
  const name = (): string => {
    const length = record.readUInt8(at);
    at += 1 + length;
    return record.toString("utf8", at - length, at);
  };
  const [key, line] = [name(), name()];
  const gates: GateSnapshot[] = [];
  let hasFlow = false;
  while (at < record.length) {
    const slots = record.readUInt32BE(at);
    at += 4;
    if (slots > 0) gates.push({ name: name(), slots });
    else {
      const [everyMs, burst] = [record.readDoubleBE(at), record.readUInt32BE(at + 8)];
      at += 12;
      const valueAt = at + 1;
      const tie = name();
      if (everyMs < 0) hasFlow = true;
      else if (everyMs === 0) {
        const [before] = gates.splice(-1);
        if (before === undefined || !("slots" in before)) throw new Error("a gate without slots is never full");
        const mode = FULL_MODES[burst - 1];
        if (mode === undefined) throw new Error(`a full gate means ${burst}`);
        gates.push({ ...before, full: `${mode} ${hex(record.subarray(valueAt, at))}` });
      } else gates.push({ name: tie, everyMs, burst });
    }
  }
  return { key, line, gates, hasFlow };
}

function countersAt(record: Buffer, at: number) {
  const [generation, attempts, recoveries, returns] = [0, 4, 8, 12].map((offset) => record.readUInt32BE(at + offset));
  return { generation: generation ?? 0, attempts: attempts ?? 0, recoveries: recoveries ?? 0, returns: returns ?? 0 };
}

function dynamicOf(record: Buffer): Dynamic {
  return {
    ...countersAt(record, 0),
    token: token64(record, 16),
    finishedAtMs: record.readUIntBE(24, 6),
    value: record.toString("latin1", 30, 31) === "1" ? hex(record.subarray(31)) : null,
  };
}

function finishedOf(record: Buffer) {
  const kind = record.toString("latin1", 0, 1);
  const finishedAtMs = record.readUIntBE(1, 6);
  if (kind === "c") {
    const counters = { generation: 0, attempt: 1, recoveries: 0, returns: 0 };
    return {
      state: "completed" as const,
      ...counters,
      token: token64(record, 7),
      finishedAtMs,
      value: hex(record.subarray(15)),
    };
  }
  if (kind !== "C" && kind !== "X" && kind !== "K") return broken(`a finished record is of kind ${kind}`);
  const { generation, attempts, recoveries, returns } = countersAt(record, 7);
  return {
    state: kind === "C" ? ("completed" as const) : kind === "K" ? ("skipped" as const) : ("cancelled" as const),
    generation,
    attempt: attempts,
    recoveries,
    returns,
    token: token64(record, 23),
    finishedAtMs,
    value: hex(record.subarray(31)),
  };
}

function totalsOf(stored: Map<string, string>): SegmentSnapshot["totals"] {
  const total = (name: string): number => Number(stored.get(name) ?? 0);
  return {
    enqueued: total("enqueued"),
    completed: total("completed"),
    failed: total("failed"),
    cancelled: total("cancelled"),
    skipped: total("skipped"),
    retried: total("retried"),
    released: total("released"),
    rescued: total("rescued"),
  };
}

// ── Small things ───────────────────────────────────────────────────────────────────────────────────────────────────

function token64(record: Buffer, at: number): number {
  return Number(record.readBigUInt64BE(at));
}

function pairs(flat: readonly Buffer[]): [Buffer, Buffer][] {
  const found: [Buffer, Buffer][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i] as Buffer, flat[i + 1] as Buffer]); // both inside
  return found;
}

function texts(hash: readonly [Buffer, Buffer][] | undefined): Map<string, string> {
  return new Map((hash ?? []).map(([key, value]) => [key.toString("latin1"), value.toString("latin1")]));
}

function hexes(hash: readonly [Buffer, Buffer][] | undefined): Map<string, string> {
  return new Map((hash ?? []).map(([key, value]) => [hex(key), hex(value)]));
}

function hex(bytes: Buffer): string {
  return bytes.toString("hex");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byDot(a: { laneName: string; counter: number }, b: { laneName: string; counter: number }): number {
  return compare(a.laneName, b.laneName) || a.counter - b.counter;
}

function broken(says: string): never {
  throw new InconsistentStore(says);
}

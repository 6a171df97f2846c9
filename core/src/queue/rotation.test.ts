import { describe, expect, it } from "vitest";
import type { Store } from "../engine/store.js";
import type { QueueCounts } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import { type SegmentOrder, STARVED_MS, STARVED_SHARE } from "./rotation.js";
import { Segments } from "./segments.js";

const names = Array.from({ length: 10 }, (_, at) => `s${at}`);

describe("the rotation of a pool", () => {
  it("starves no Segment, however much one of them holds", () => {
    const { segments, visit } = make();
    const turns = new Map<string, number>();
    for (const name of names) segments.hint(name, "mail", { priority: 0 });
    for (let round = 0; round < 1_000; round++) {
      const name = visit((name) => (name === "s0" ? 10 : 0)); // the others are empty, and ring again
      turns.set(name, (turns.get(name) ?? 0) + 1);
      if (name !== "s0") segments.hint(name, "mail", { priority: 0 });
    }
    for (const name of names) expect(turns.get(name)).toBe(100);
  });

  it("gives a Segment that rings its turn behind those that are hinted, not behind all their work", () => {
    const { segments, visit } = make();
    for (const name of names.slice(0, 9)) segments.hint(name);
    segments.hint("s9");
    expect(names.map(() => visit(() => 10))).toEqual(names);
  });

  it("passes over a Segment that is being claimed from, and forgets no hint that came meanwhile", () => {
    const { segments, rotation } = make();
    segments.hint("s0");
    segments.hint("s1");
    segments.view("s0").isBusy = true;
    const turn = rotation.next();
    expect(turn?.view.name).toBe("s1");
    expect(rotation.next()).toBeNull();
    segments.hint("s1", "mail", { priority: 3 });
    if (turn !== null) expect(rotation.settle(turn, { waiting: 0, highest: null, takenMs: null })).toBe(true);
    expect(turn?.highest).toBe(3);
    segments.view("s0").isBusy = false;
    expect(rotation.next()?.view.name).toBe("s0");
  });

  it("is not sent to a Queue that is another pool's", () => {
    const { segments, rotation } = make();
    const other = segments.join(["video"]);
    segments.hint("s0", "video");
    expect(rotation.next()).toBeNull();
    expect(other.next()?.view.name).toBe("s0");
  });

  it("B27: goes where the highest priority waits, as bells, claims and surveys tell it", () => {
    const { segments, rotation, visit } = make();
    segments.hint("low", "mail", { priority: -5 });
    segments.hint("plain", "mail", { priority: 0 });
    segments.hint("high", "mail", { priority: 5 });
    expect(rotation.highest).toBe(5);
    expect(visit(() => 10, 5)).toBe("high");
    expect(visit(() => 10, -9)).toBe("high"); // nothing of its 5 is left
    expect(visit(() => 10, 0)).toBe("plain");
    segments.hint("low", "mail", { priority: 9 });
    expect(visit(() => 0)).toBe("low");
    // Nothing is known of it: it is looked at first, unless a survey comes before.
    segments.hint("new");
    expect(rotation.highest).toBe(Number.POSITIVE_INFINITY);
    segments.saw(segments.view("new"), [counted("mail", -7), counted("video", 100)], false);
    expect(visit(() => 10, 0)).toBe("plain");
    // What others took is known by the next survey, unless a bell came after it.
    segments.hint("high", "mail", { priority: 7 });
    segments.saw(segments.view("high"), [counted("mail", 1)], false);
    expect(rotation.highest).toBe(7);
    segments.saw(segments.view("high"), [counted("mail", 1)], true);
    expect(rotation.highest).toBe(1);
  });

  it("B27: a bell is not taken back by a survey that began before it, also where nothing was known", () => {
    const { segments, rotation } = make();
    segments.hint("new");
    segments.hint("new", "mail", { priority: 9 });
    segments.saw(segments.view("new"), [counted("mail", -7)], false);
    expect(rotation.highest).toBe(9);
  });

  it("B27: three turns of four go to the oldest head, the fourth to who had none for longest", () => {
    const { segments, clock, visit } = make();
    for (const name of names) {
      clock.moveTo(clock.nowMs() + 10);
      segments.hint(name, "mail", { priority: 0 });
    }
    // Each holds more than a claim takes; what s7 holds is older than all else.
    const ages = (name: string) => (name === "s7" ? -1_000 : clock.nowMs());
    const turns = Array.from({ length: 60 }, () => visit(() => 10, 0, ages));
    expect(turns[0]).toBe("s0"); // the first that rang
    const ofOldest = turns.slice(20).filter((name) => name === "s7").length;
    expect(ofOldest).toBeGreaterThanOrEqual(30);
    for (const name of names) expect(turns).toContain(name);
  });

  it("B27: older heads first, when each holds one", () => {
    const { segments, clock, visit } = make();
    const order = [...names].reverse();
    for (const name of order) {
      clock.moveTo(clock.nowMs() + 1);
      segments.hint(name, "mail", { priority: 0 });
    }
    expect(order.map(() => visit(() => 0))).toEqual(order);
  });

  it("B27: largest_first goes where most waits instead", () => {
    const { segments, visit } = make("largest_first");
    const sizes = new Map(names.map((name, at) => [name, at === 4 ? 1_000 : 10]));
    for (const name of names) segments.hint(name, "mail", { priority: 0 });
    for (const name of names) segments.saw(segments.view(name), [counted("mail", 0, sizes.get(name))], true);
    const turns = Array.from({ length: 40 }, () => visit((name) => sizes.get(name) ?? 0));
    expect(turns[0]).toBe("s4");
    expect(turns.filter((name) => name === "s4").length).toBeGreaterThanOrEqual(30);
    for (const name of names) expect(turns).toContain(name);
  });

  it("B27: no Segment starves among 1,000 of one priority, one of them old and without end", () => {
    const { segments, clock, visit } = make();
    const many = Array.from({ length: 1_000 }, (_, at) => `s${at}`);
    for (const name of many) segments.hint(name, "mail", { priority: 0 });
    const last = new Map<string, number>();
    let longest = 0;
    for (let turn = 0; turn < 10_000; turn++) {
      clock.moveTo(clock.nowMs() + 1);
      const name = visit(
        () => 10,
        0,
        (name) => (name === "s0" ? 0 : clock.nowMs()),
      );
      longest = Math.max(longest, turn - (last.get(name) ?? 0));
      last.set(name, turn);
    }
    expect(last.size).toBe(1_000);
    expect(longest).toBeLessThanOrEqual(4_004);
  });

  it("B27: no Segment of low priority starves, and the high ones keep all but one turn in eight", () => {
    const { segments, clock, visit } = make();
    const many = Array.from({ length: 1_000 }, (_, at) => `s${at}`);
    for (const name of many) segments.hint(name, "mail", { priority: name === "s0" ? 9 : 0 });
    const turns = new Map<string, number>();
    for (let turn = 0; turn < 8_000 + STARVED_MS; turn++) {
      clock.moveTo(clock.nowMs() + 1);
      const name = visit(
        (one) => (one === "s0" ? 10 : 5),
        (one) => (one === "s0" ? 9 : 0),
      );
      if (name !== "s0") expect(clock.nowMs()).toBeGreaterThanOrEqual(STARVED_MS);
      turns.set(name, (turns.get(name) ?? 0) + 1);
    }
    expect(turns.size).toBe(1_000);
    expect(turns.get("s0")).toBe(8_000 + STARVED_MS - 8_000 / STARVED_SHARE - 1);
  });

  it("B27: where it was called to help comes behind all others of its priority, and before lower ones", () => {
    const { segments, visit } = make();
    segments.hint("theirs", "mail", { priority: 4, isCall: true });
    segments.hint("mine", "mail", { priority: 0 });
    expect(visit(() => 10, 0)).toBe("theirs"); // nothing of its 4 is left
    for (let turn = 0; turn < 20; turn++) expect(visit(() => 10, 0)).toBe("mine");
    expect(visit(() => 0)).toBe("mine");
    expect(visit(() => 10, 0)).toBe("theirs");
    segments.hint("mine", "mail", { priority: 0 });
    // A survey says that nobody looks after it any more.
    expect(segments.found(segments.view("theirs"), [counted("mail", 0)])).toBe(true);
    expect([visit(() => 10, 0), visit(() => 10, 0)].sort()).toEqual(["mine", "theirs"]);
  });
});

function counted(queue: string, highest: number, ready = 1): QueueCounts {
  return { queue, ready, highest, isPaused: false };
}

function make(order?: SegmentOrder) {
  const clock = new ManualClock();
  const segments = new Segments({} as Store, clock, order); // what is asked here needs no store
  const rotation = segments.join(["mail"]);
  /** Takes a turn: how many it leaves, of what priority, and how old the last one was that it took. */
  const visit = (
    left: (name: string) => number,
    highest: number | ((name: string) => number) = 0,
    takenMs: (name: string) => number | null = () => null,
  ): string => {
    const turn = rotation.next();
    if (turn === null) throw new Error("nobody is hinted");
    const { name } = turn.view;
    const waiting = left(name);
    const above = typeof highest === "number" ? highest : highest(name);
    rotation.settle(turn, { waiting, highest: waiting > 0 ? above : null, takenMs: takenMs(name) });
    return name;
  };
  return { segments, rotation, clock, visit };
}

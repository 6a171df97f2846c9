import { describe, expect, it } from "vitest";
import { Group, type Runnable } from "./runnable.js";

/** Members that write down what happens to them, in `log`. */
function members(names: string[], failing: { start?: string; stop?: string[] } = {}) {
  const log: string[] = [];
  const list = names.map(
    (name): Runnable => ({
      start: async () => {
        if (failing.start === name) throw new Error(`${name} cannot start`);
        log.push(`+${name}`);
      },
      stop: async (deadlineMs) => {
        log.push(`-${name}${deadlineMs === 99 ? "" : `@${deadlineMs}`}`);
        if (failing.stop?.includes(name) === true) throw new Error(`${name} cannot stop`);
      },
    }),
  );
  return { log, group: new Group(list) };
}

describe("a Group", () => {
  it("starts in order and stops in reverse", async () => {
    const { log, group } = members(["a", "b", "c"]);
    await group.start();
    await group.stop(99);
    expect(log).toStrictEqual(["+a", "+b", "+c", "-c", "-b", "-a"]);
  });

  it("may be started twice, stopped twice and stopped before start", async () => {
    const { log, group } = members(["a"]);
    await group.stop(99);
    await Promise.all([group.start(), group.start()]);
    await Promise.all([group.stop(99), group.stop(99)]);
    await group.stop(99);
    expect(log).toStrictEqual(["+a", "-a"]);
  });

  it("takes down what came up when a member cannot start, and may be started again", async () => {
    const failing: { start?: string } = { start: "c" };
    const { log, group } = members(["a", "b", "c"], failing);
    await expect(group.start()).rejects.toThrow("c cannot start");
    expect(log).toStrictEqual(["+a", "+b", "-b@-Infinity", "-a@-Infinity"]);
    await group.stop(99);
    delete failing.start;
    await group.start();
    await group.stop(99);
    expect(log.slice(4)).toStrictEqual(["+a", "+b", "+c", "-c", "-b", "-a"]);
  });

  it("ends a start that a stop overtakes, and obeys calls in their order", async () => {
    const { log, group } = members(["a", "b"]);
    const first = group.start();
    const stop = group.stop(99);
    await first;
    await stop;
    expect(log.length % 2).toBe(0);
    expect(log.filter((line) => line.startsWith("+")).length).toBe(log.length / 2);
    log.length = 0;
    await Promise.all([group.start(), group.stop(99), group.start()]);
    expect(log.slice(-2)).toStrictEqual(["+a", "+b"]);
    await group.stop(99);
  });

  it("stops all members also past one that fails", async () => {
    const one = members(["a", "b", "c"], { stop: ["b"] });
    await one.group.start();
    await expect(one.group.stop(99)).rejects.toThrow("b cannot stop");
    expect(one.log.slice(3)).toStrictEqual(["-c", "-b", "-a"]);
    const two = members(["a", "b"], { stop: ["a", "b"] });
    await two.group.start();
    await expect(two.group.stop(99)).rejects.toThrow("2 members failed to stop");
  });
});

import { describe, expect, it } from "vitest";
import { idsOf, parseFilter, queuesOf, statesOf } from "./filter.js";
import { type FilterFacts, isFit } from "./filter-match.js";

const nowMs = Date.UTC(2026, 0, 10, 12);

const facts: FilterFacts = {
  id: "web-1.abc.1601",
  state: "failed",
  queue: "mail",
  step: "send",
  priority: 5,
  attempt: 3,
  key: "order-7",
  tags: { tenant: "acme", "a.b": "c d" },
  error: { name: "TypeError", message: "connection Timed out", code: "ETIMEDOUT" },
  enqueuedAt: new Date(nowMs - 3_600_000),
  startedAt: new Date(nowMs - 10_000),
  finishedAt: new Date(nowMs - 4_000),
};

const fits = (text: string, of: Partial<FilterFacts> = {}) => isFit(parseFilter(text, nowMs), { ...facts, ...of });

describe("X18: the filter language", () => {
  it("fits everything when it is empty", () => {
    expect(fits("")).toBe(true);
    expect(fits("   ")).toBe(true);
  });

  it.each([
    ["state:failed", true],
    ["state:ready", false],
    ["state:ready,failed", true],
    ["-state:failed", false],
    ["-state:ready,scheduled", true],
    ["queue:mail step:send", true],
    ["queue:mail step:other", false],
    ["step:~EN", true],
    ["id:web-1.abc.1601", true],
    ["id:~abc", true],
    ["key:order-7", true],
    ["key:other,order-7", true],
    ["key:order", false],
    ["key:~ORDER", true],
    ["-key:order-7", false],
    ["code:ETIMEDOUT", true],
    ["err:TypeError", true],
    ['err:~"timed out"', true],
    ['err:"connection Timed out"', true],
    ["err:~nothing", false],
    ["tag.tenant:acme", true],
    ["tag.tenant:other,acme", true],
    ["-tag.tenant:acme", false],
    ['tag.a.b:"c d"', true],
    ["tag.unknown:x", false],
    ["-tag.unknown:x", true],
    ["attempt:3", true],
    ["attempt:>2", true],
    ["attempt:>3", false],
    ["attempt:>=3", true],
    ["attempt:<3", false],
    ["attempt:<=3", true],
    ["priority:5,6", true],
    ["priority:-5", false],
    ["created:>2h", true],
    ["created:<2h", false],
    ["created:2026-01-10", true],
    ["created:2026-01-09", false],
    ["finished:>2026-01-10T11:59:55Z", true],
    ["started:<=2026-01-10T11:59:50Z", true],
    ["duration:>5s", true],
    ["duration:6000", true],
    ["duration:<6s", false],
    ["abc", true],
    ["MAIL", true],
    ["nowhere", false],
    ["-nowhere", true],
    ["-send", false],
    ['"send"', true],
  ])("%s → %s", (text, expected) => {
    expect(fits(text)).toBe(expected);
  });

  it("fits what is not known only where its absence is asked for", () => {
    const unknown = { queue: null, step: null, key: null, tags: null, error: null, startedAt: null, finishedAt: null };
    for (const text of ["queue:mail", "step:~s", "key:~o", "tag.a:b", "code:X", "finished:>1h", "duration:>0"]) {
      expect(fits(text, unknown), text).toBe(false);
      expect(fits(`-${text}`, unknown), text).toBe(true);
    }
  });

  it.each([
    ["stat:failed", "did you mean `state`?"],
    ["colour:red", "known are state, queue, step, key"],
    ["state:faild", "did you mean `failed`?"],
    ["tag.:x", "unknown field `tag.`"],
    ["attempt:many", "`attempt:many` is not a whole number"],
    ["created:yesterday", "is not a moment"],
    ["duration:long", "is not a length of time"],
    ["queue:>5", "queue is a text"],
    ["attempt:~5", "attempt is none"],
    ["queue:", "`queue:` has no value"],
    ['err:"open', "has no end"],
  ])("refuses %s: %s", (text, message) => {
    expect(() => parseFilter(text, nowMs)).toThrow(message);
    expect(() => parseFilter(text, nowMs)).toThrow(expect.objectContaining({ code: "MR_INVALID_OPTION" }));
  });

  it("tells which states, Queues and ids can fit", () => {
    expect(statesOf(parseFilter("state:failed,ready", nowMs))).toEqual(["failed", "ready"]);
    expect(statesOf(parseFilter("-state:completed,cancelled state:~e", nowMs))).toEqual([
      "failed",
      "ready",
      "scheduled",
      "skipped",
    ]);
    expect(statesOf(parseFilter("x", nowMs))).toHaveLength(7);
    // What is over and has not failed has none of these.
    for (const text of ["err:~x", "code:X", "key:k", "tag.a:b"]) {
      expect(statesOf(parseFilter(text, nowMs)), text).toEqual(["failed", "running", "ready", "scheduled"]);
      expect(statesOf(parseFilter(`-${text}`, nowMs)), text).toHaveLength(7);
    }
    expect(statesOf(parseFilter("err:~x state:failed,completed", nowMs))).toEqual(["failed"]);
    expect(queuesOf(parseFilter("queue:a,b", nowMs))).toEqual(["a", "b"]);
    expect(queuesOf(parseFilter("queue:~a", nowMs))).toBeNull();
    expect(queuesOf(parseFilter("-queue:a", nowMs))).toBeNull();
    expect(idsOf(parseFilter("id:a.b.c01", nowMs))).toEqual(["a.b.c01"]);
  });
});

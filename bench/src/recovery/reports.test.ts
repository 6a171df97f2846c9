import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { type Report, Reports } from "./reports.js";

const base = { attempt: 1, node: "node-1" };

describe("Reports", () => {
  it("excuses a second begin only where the first ran in a process that was killed meanwhile", async () => {
    await using reports = await Reports.open();
    await say(reports, [
      { ...base, what: "begin", n: 1, pid: 10, ns: 1e9 }, // ran when 10 was killed
      { ...base, what: "begin", n: 1, pid: 20, ns: 9e9 },
      { ...base, what: "begin", n: 2, pid: 10, ns: 1e9 }, // ended long before
      { ...base, what: "end", n: 2, pid: 10, ns: 2e9 },
      { ...base, what: "begin", n: 2, pid: 20, ns: 9e9 },
      { ...base, what: "begin", n: 3, pid: 20, ns: 1e9 }, // nobody was killed
      { ...base, what: "begin", n: 3, pid: 30, ns: 9e9 },
      { ...base, what: "begin", n: 4, pid: 10, ns: 4e9 }, // ended just before: may be unacknowledged
      { ...base, what: "end", n: 4, pid: 10, ns: 4.9e9 },
      { ...base, what: "begin", n: 4, pid: 20, ns: 9e9 },
      { ...base, what: "begin", n: 5, pid: 20, ns: 1e9 }, // once
    ]);
    expect(reports.begunForNothing(new Map([[10, 5e9]]))).toBe(2);
  });

  it("knows what runs where, until it ends or its process is gone", async () => {
    await using reports = await Reports.open();
    await say(reports, [
      { ...base, what: "begin", n: 1, pid: 10, ns: 1 },
      { ...base, what: "begin", n: 2, pid: 10, ns: 2 },
      { ...base, what: "end", n: 2, pid: 10, ns: 3 },
    ]);
    expect(reports.runningOn("node-1").map(({ n }) => n)).toEqual([1]);
    expect(reports.runningOn("node-2")).toEqual([]);
    reports.died(10);
    expect(reports.runningOn("node-1")).toEqual([]);
  });
});

/** Says it as a Step would, and waits until the last line was heard. */
async function say(reports: Reports, lines: readonly Report[]): Promise<void> {
  const last: Report = { ...base, what: "begin", n: -1, pid: 0, ns: 0, node: "" };
  const socket = connect(reports.port, "127.0.0.1");
  socket.end([...lines, last].map((line) => `${JSON.stringify(line)}\n`).join(""));
  while (!reports.begins.has(-1)) await new Promise((resolve) => setImmediate(resolve));
}

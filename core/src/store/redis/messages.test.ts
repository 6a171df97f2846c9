import { describe, expect, it } from "vitest";
import { deliverBell, deliverReplies, helpMessage } from "./messages.js";

function heard() {
  const events: unknown[] = [];
  return {
    events,
    bell: (segment: string, queue: string, cause: string, priority: number) =>
      events.push(["bell", segment, queue, cause, priority]),
    marked: (segment: string, owner: string) => events.push(["marked", segment, owner]),
    due: (segment: string, inMs: number) => events.push(["due", segment, inMs]),
    settled: (outcome: unknown) => events.push(["settled", outcome]),
    progressed: (id: string, value: Uint8Array) => events.push(["progressed", id, Buffer.from(value).toString()]),
  };
}

const head = Buffer.concat([Buffer.from([0, 4]), Buffer.from("s1.e")]);
const dot = Buffer.concat([Buffer.from([7]), Buffer.from("m3k9.01"), Buffer.from([0, 0, 0, 0, 42])]);
const progress = Buffer.concat([Buffer.from("p"), dot, Buffer.from([0, 0, 0, 3]), Buffer.from("50%")]);
const settled = Buffer.concat([
  Buffer.from("s"),
  dot,
  Buffer.from("x"),
  Buffer.from([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2]),
  Buffer.from([0, 255]),
]);

describe("messages", () => {
  it("on the bell channel are bells, calls for help, due times and cancel marks", () => {
    const listener = heard();
    deliverBell(Buffer.concat([Buffer.from("b"), head, Buffer.from("mail")]), listener, false);
    deliverBell(Buffer.concat([Buffer.from("b"), head, Buffer.from("mail")]), listener, true);
    deliverBell(helpMessage("s1.e", "mail", 0), listener, false);
    deliverBell(helpMessage("s1.e", "mail", -1000), listener, false);
    const priority = Buffer.from([0x03, 0xe8]);
    deliverBell(Buffer.concat([Buffer.from("B"), head, priority, Buffer.from("mail")]), listener, true);
    deliverBell(Buffer.concat([Buffer.from("B"), head, priority]), listener, true);
    deliverBell(Buffer.concat([Buffer.from("d"), head, Buffer.from("1500")]), listener, false);
    deliverBell(Buffer.concat([Buffer.from("m"), head, Buffer.from("m3k9")]), listener, false);
    expect(listener.events).toEqual([
      ["bell", "s1.e", "mail", "unattended", 0],
      ["bell", "s1.e", "mail", "attended", 0],
      ["bell", "s1.e", "mail", "help", 0],
      ["bell", "s1.e", "mail", "help", -1000],
      ["bell", "s1.e", "mail", "attended", 1000],
      ["due", "s1.e", 1500],
      ["marked", "s1.e", "m3k9"],
    ]);
  });

  it("on the reply channel may hold several frames, with any bytes in them", () => {
    const listener = heard();
    deliverReplies(Buffer.concat([head, progress, settled, progress]), listener);
    const outcome = {
      id: "s1.e.m3k9.1601",
      state: "cancelled",
      generation: 1,
      attempt: 2,
      finishedAtMs: 256,
      value: Buffer.from([0, 255]),
    };
    const note = ["progressed", "s1.e.m3k9.1601", "50%"];
    expect(listener.events).toEqual([note, ["settled", outcome], note]);
  });

  it("that are cut or not ours are passed over", () => {
    const listener = heard();
    const whole = Buffer.concat([head, settled]);
    for (let length = 0; length < whole.length; length++) deliverReplies(whole.subarray(0, length), listener);
    deliverReplies(Buffer.from([0xff, 0xff]), listener);
    deliverBell(Buffer.from("hello"), listener, false);
    deliverBell(Buffer.alloc(0), listener, false);
    expect(listener.events).toEqual([]);
  });
});

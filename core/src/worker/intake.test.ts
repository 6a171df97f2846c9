/** The intake: records in, calls out, and nothing kept in memory that is only lent. */
import { describe, expect, it } from "vitest";
import type { Claim } from "../engine/transitions.js";
import { Intake } from "./intake.js";
import {
  ABORT,
  ABORT_CODES,
  ANSWER,
  ANSWER_EVENT,
  BATCH,
  RUN,
  RUN_AT,
  SLOTS,
  STOP,
  TEXT,
  TEXT_AT,
} from "./protocol.js";

function setUp() {
  const log: string[] = [];
  const claims: Claim[] = [];
  const intake = new Intake({
    worker: {
      push: (segment, pushed) => {
        claims.push(...pushed);
        log.push(`push ${segment} ${pushed.map(({ counter }) => counter).join(" ")}`);
      },
      pushBatch: (batch) => {
        claims.push(...batch.map(({ claim }) => claim));
        log.push(`batch ${batch.map(({ segment, claim }) => `${segment}:${claim.counter}`).join(" ")}`);
      },
      abortSeat: (seat, kind) => log.push(`abort ${seat} ${kind}`),
      setSlots: (slots) => log.push(`slots ${slots}`),
    },
    link: { take: (how, request, bytes) => log.push(`answer ${how} ${request} ${[...bytes].join()}`) },
    stop: () => log.push("stop"),
  });
  // Everything is written to the same place: whatever is kept must be copied.
  const memory = Buffer.alloc(256);
  const take = (record: Buffer, isLent = true) => {
    record.copy(memory, 8);
    intake.take(memory, 8, record.length, isLent);
  };
  return { intake, take, log, claims, memory };
}

function text(id: number, name: string): Buffer {
  const record = Buffer.alloc(TEXT_AT + name.length);
  record[0] = TEXT;
  record.writeInt32LE(id, 4);
  record.write(name, TEXT_AT, "latin1");
  return record;
}

function run(seat: number, counter: number, segment: number, body: string): Buffer {
  const record = Buffer.alloc(RUN_AT + body.length);
  record[0] = RUN;
  record.writeInt32LE(seat, 4);
  record.writeDoubleLE(2 ** 53 - 1, 8);
  record.writeDoubleLE(counter, 16);
  record.writeInt32LE(3, 24);
  record.writeInt32LE(2, 28);
  record.writeInt32LE(segment, 32);
  record.writeInt32LE(9, 36);
  record.write(body, RUN_AT, "latin1");
  return record;
}

function short(kind: number, small: number, value: number): Buffer {
  const record = Buffer.alloc(8);
  record[0] = kind;
  record[1] = small;
  record.writeInt32LE(value, 4);
  return record;
}

describe("an intake", () => {
  it("hands on what a Segment sent together, with the seat in the place of the lane", () => {
    const { intake, take, log, claims } = setUp();
    for (const record of [text(0, "a"), text(1, "b"), text(9, "x.01")]) take(record);
    take(run(5, 2 ** 40 - 1, 0, "body"));
    take(run(6, 11, 0, "body"));
    take(run(7, 12, 1, "body"));
    intake.push();
    expect(log).toEqual([`push a ${2 ** 40 - 1} 11`, "push b 12"]);
    expect(claims[0]).toMatchObject({
      ...{ lane: 5, counter: 2 ** 40 - 1, token: 2 ** 53 - 1, laneName: "x.01", attempt: 3, generation: 2 },
    });
  });

  it("X15: hands on a batch whole, whatever Segments it is of and however often its memory is given back", () => {
    const { intake, take, log, claims } = setUp();
    for (const record of [text(0, "here"), text(1, "there"), text(9, "x.01")]) {
      take(record);
      intake.keep();
    }
    for (const record of [run(1, 10, 0, "a"), short(BATCH, 0, 3), run(2, 11, 0, "b"), run(3, 12, 1, "c")]) {
      take(record);
      intake.keep();
    }
    intake.push();
    intake.keep();
    expect(log).toEqual(["push here 10"]);
    for (const record of [run(4, 13, 0, "d"), run(5, 14, 1, "e")]) {
      take(record);
      intake.keep();
    }
    intake.push();
    intake.keep();
    expect(log).toEqual(["push here 10", "batch here:11 there:12 here:13", "push there 14"]);
    expect(claims.map(({ body }) => Buffer.from(body).toString())).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("copies the bodies of what has not begun before their memory is written again", () => {
    const { intake, claims, memory } = setUp();
    for (const record of [text(0, "a"), text(9, "x.01")]) intake.take(record, 0, record.length, false);
    const record = run(5, 1, 0, "waits");
    record.copy(memory);
    intake.take(memory, 0, record.length, true);
    intake.push();
    intake.keep();
    memory.fill(0);
    expect(Buffer.from(claims[0]?.body ?? []).toString()).toBe("waits");
  });

  it("aborts and stops only after what came before", () => {
    const { take, log } = setUp();
    for (const record of [text(0, "a"), text(9, "x.01"), run(5, 1, 0, "b")]) take(record);
    take(short(ABORT, ABORT_CODES.indexOf("timeout"), 5));
    take(short(SLOTS, 0, 16));
    take(run(6, 2, 0, "b"));
    take(short(STOP, 0, 0));
    expect(log).toEqual(["push a 1", "abort 5 timeout", "slots 16", "push a 2", "stop"]);
  });

  it("hands answers to the calls they belong to", () => {
    const { take, log } = setUp();
    take(Buffer.concat([short(ANSWER, ANSWER_EVENT, 77), Buffer.from([1, 2, 3])]));
    expect(log).toEqual([`answer ${ANSWER_EVENT} 77 1,2,3`]);
  });

  it("learns a name anew when its number is used again", () => {
    const { intake, take, log } = setUp();
    for (const record of [text(0, "a"), text(9, "x.01"), run(5, 1, 0, "b")]) take(record);
    take(text(0, "c"));
    take(run(6, 2, 0, "b"));
    intake.push();
    expect(log).toEqual(["push a 1", "push c 2"]);
  });
});

import { expect, it } from "vitest";
import { createDuplexMemory, Duplex, type DuplexMemory } from "./duplex.js";
import { FrameReader, FrameWriter } from "./frame.js";
import { HEAD } from "./layout.js";

interface Side {
  readonly duplex: Duplex;
  readonly writer: FrameWriter;
  readonly reader: FrameReader;
  /** How often the other side was rung. */
  rung: number;
}

function makeSides(): { readonly foreman: Side; readonly worker: Side; readonly memory: DuplexMemory } {
  const memory = createDuplexMemory(64, 64);
  const side = (name: "foreman" | "worker"): Side => {
    const duplex = new Duplex(name, memory, { postMessage: () => made.rung++ });
    const made = {
      duplex,
      writer: new FrameWriter(duplex.producer),
      reader: new FrameReader(duplex.consumer),
      rung: 0,
    };
    return made;
  };
  return { foreman: side("foreman"), worker: side("worker"), memory };
}

function send({ writer }: Side, text: string): void {
  const at = writer.begin(text.length);
  writer.target.write(text, at, "latin1");
  writer.end(text.length);
}

function receive({ reader }: Side): string | null {
  const length = reader.next();
  return length < 0 ? null : reader.source.toString("latin1", reader.offset, reader.offset + length);
}

it("carries records both ways, each into the other's incoming ring", () => {
  const { foreman, worker } = makeSides();
  send(foreman, "down");
  send(worker, "up");
  foreman.duplex.publish();
  worker.duplex.publish();
  expect([receive(foreman), receive(worker)]).toEqual(["up", "down"]);
  expect([receive(foreman), receive(worker)]).toEqual([null, null]);
});

it("rings a side that listens, once, and not before it listens again", () => {
  const { foreman, worker } = makeSides();
  send(worker, "1");
  worker.duplex.publish();
  expect(worker.rung, "nobody listens yet").toBe(0);
  expect(foreman.duplex.listen(), "something is there: look first").toBe(false);
  expect(receive(foreman)).toBe("1");
  expect(foreman.duplex.listen()).toBe(true);
  for (const text of ["2", "3"]) {
    send(worker, text);
    worker.duplex.publish();
  }
  expect(worker.rung).toBe(1);
  foreman.duplex.wake();
  expect([receive(foreman), receive(foreman)]).toEqual(["2", "3"]);
  foreman.duplex.release();
  expect(foreman.duplex.listen()).toBe(true);
  send(worker, "4");
  worker.duplex.publish();
  expect(worker.rung).toBe(2);
  expect(worker.duplex.rings).toBe(2);
});

it("rings a side that wants room when room is given back, and only that one", () => {
  const { foreman, worker } = makeSides();
  for (let n = 0; n < 5; n++) send(foreman, "8 bytes.");
  foreman.duplex.publish();
  expect(foreman.writer.flush()).toBe(false);
  expect(foreman.duplex.listen(true)).toBe(true);
  for (let n = 0; n < 4; n++) {
    expect(receive(worker)).toBe("8 bytes.");
    worker.duplex.release();
  }
  expect(worker.rung).toBe(1);
  foreman.duplex.wake();
  expect(foreman.writer.flush()).toBe(true);
  foreman.duplex.publish();
  expect(foreman.duplex.listen()).toBe(true);
  receive(worker);
  worker.duplex.release();
  expect(worker.rung, "no room is wanted any more").toBe(1);
});

it("does not go to sleep over room that was given back before it said that it wants some", () => {
  const { foreman, worker } = makeSides();
  for (let n = 0; n < 5; n++) send(foreman, "8 bytes.");
  foreman.duplex.publish();
  for (let n = 0; n < 4; n++) receive(worker);
  worker.duplex.release(); // nobody asked: nobody is rung
  expect(worker.rung).toBe(0);
  expect(foreman.duplex.listen(true), "there is room by now").toBe(false);
  expect(foreman.writer.flush()).toBe(true);
});

it("tells of a broken outgoing ring where it gives room back, and does not go to sleep over it", () => {
  const { foreman, memory } = makeSides();
  for (let n = 0; n < 5; n++) send(foreman, "8 bytes.");
  foreman.duplex.publish();
  expect(foreman.duplex.listen(true)).toBe(true);
  foreman.duplex.wake();
  new Int32Array(memory.down)[HEAD] = 3;
  send(foreman, "8 bytes.");
  expect(foreman.writer.flush()).toBe(false);
  expect(foreman.duplex.listen(true)).toBe(false);
  expect(() => foreman.duplex.release()).toThrow(expect.objectContaining({ code: "MR_RING_BROKEN" }));
});

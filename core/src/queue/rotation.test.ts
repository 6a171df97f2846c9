import { describe, expect, it } from "vitest";
import type { Store } from "../engine/store.js";
import { Segments } from "./segments.js";

const names = Array.from({ length: 10 }, (_, at) => `s${at}`);

describe("the rotation of a pool", () => {
  it("starves no Segment, however much one of them holds", () => {
    const { segments, rotation } = make();
    const turns = new Map<string, number>();
    for (const name of names) segments.hint(name);
    for (let round = 0; round < 1_000; round++) {
      const turn = rotation.next();
      if (turn === null) throw new Error("nobody is hinted");
      const { name } = turn.view;
      turns.set(name, (turns.get(name) ?? 0) + 1);
      rotation.settle(turn, name === "s0"); // the others are empty, and ring again
      if (name !== "s0") segments.hint(name);
    }
    for (const name of names) expect(turns.get(name)).toBe(100);
  });

  it("gives a Segment that rings its turn behind those that are hinted, not behind all their work", () => {
    const { segments, rotation } = make();
    for (const name of names.slice(0, 9)) segments.hint(name);
    segments.hint("s9");
    const order: string[] = [];
    for (let round = 0; round < 10; round++) {
      const turn = rotation.next();
      if (turn === null) break;
      order.push(turn.view.name);
      rotation.settle(turn, true);
    }
    expect(order).toEqual(names);
  });

  it("passes over a Segment that is being claimed from, and forgets no hint that came meanwhile", () => {
    const { segments, rotation } = make();
    segments.hint("s0");
    segments.hint("s1");
    segments.view("s0").isBusy = true;
    const turn = rotation.next();
    expect(turn?.view.name).toBe("s1");
    expect(rotation.next()).toBeNull();
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
});

function make() {
  const segments = new Segments({} as Store); // what is asked here needs no store
  return { segments, rotation: segments.join(["mail"]) };
}

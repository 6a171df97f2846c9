/** Sentences about the App's index of Nodes. */
import type { NodeEntry } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import type { Scene } from "./scene.js";

export function nodeSentences(scene: () => Scene): void {
  /** A Node's name and its incarnations are of one test: the index is shared by all. */
  const join = (s: Scene, life: string, node = s.segment, about = `about ${life}`) =>
    s.store.nodeBeat({ incarnation: `${s.segment}-${life}`, node, about: bytes(about), isJoining: true });
  const beat = (s: Scene, life: string, about = `about ${life}`) =>
    s.store.nodeBeat({
      incarnation: `${s.segment}-${life}`,
      node: s.segment,
      about: bytes(about),
      isJoining: false,
    });
  const leave = async (s: Scene, life: string, seen: number | null) =>
    (await s.store.nodeLeave({ incarnation: `${s.segment}-${life}`, beat: seen })).answer;
  /** What the index tells of this test's incarnations, by name. */
  const listed = async (s: Scene) =>
    (await s.store.nodes())
      .filter(({ incarnation }) => incarnation.startsWith(`${s.segment}-`))
      .map((entry: NodeEntry) => plain({ ...entry, incarnation: entry.incarnation.slice(s.segment.length + 1) }))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

  describe("node_beat", () => {
    it("puts an incarnation into the index, with what it says of itself", async () => {
      const s = scene();
      expect(await join(s, "a")).toEqual({ beat: 1, elders: [] });
      expect(await listed(s)).toEqual([plain({ incarnation: "a", node: s.segment, beat: 1, about: bytes("about a") })]);
    });

    it("raises the counter of one that is there, and takes its latest words", async () => {
      const s = scene();
      await join(s, "a");
      expect(await beat(s, "a", "later")).toEqual({ beat: 2, elders: [] });
      expect(await beat(s, "a", "later")).toMatchObject({ beat: 3 });
      expect(await listed(s)).toEqual([plain({ incarnation: "a", node: s.segment, beat: 3, about: bytes("later") })]);
    });

    it("tells one that joins of those of its Node who came before, in the order they came, and of nobody else", async () => {
      const s = scene();
      await join(s, "z");
      await join(s, "a");
      await join(s, "other", `${s.segment}-other`);
      await beat(s, "z");
      const { beat: own, elders } = await join(s, "m");
      expect(own).toBe(1);
      expect(elders.map(({ incarnation, beat: seen }) => [incarnation.slice(s.segment.length + 1), seen])).toEqual([
        ["z", 2],
        ["a", 1],
      ]);
      expect(plain(elders[0]?.about)).toEqual(plain(bytes("about z")));
    });

    it("shows one of two that join at once to the other, and not both to each other", async () => {
      const s = scene();
      const [a, b] = await Promise.all([join(s, "a"), join(s, "b")]);
      expect(a.elders.length + b.elders.length).toBe(1);
      const again = await Promise.all([join(s, "a"), join(s, "b")]);
      expect(again.map(({ elders }) => elders.length)).toEqual([a.elders.length, b.elders.length]);
    });

    it("tells no elders to one that only beats", async () => {
      const s = scene();
      await join(s, "a");
      await join(s, "b");
      expect(await beat(s, "b")).toEqual({ beat: 2, elders: [] });
    });

    it("keeps any bytes as they are", async () => {
      const s = scene();
      const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
      await join(s, "a", s.segment, all);
      expect(await listed(s)).toEqual([plain({ incarnation: "a", node: s.segment, beat: 1, about: bytes(all) })]);
    });

    it("touches no Segment", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["x"]);
      const before = await s.snapshot();
      await join(s, "a");
      await leave(s, "a", null);
      expect(await s.snapshot()).toEqual(before);
    });
  });

  describe("node_leave", () => {
    it("takes an incarnation out that leaves by itself, whatever its counter", async () => {
      const s = scene();
      await join(s, "a");
      await beat(s, "a");
      expect(await leave(s, "a", null)).toBe("ok");
      expect(await listed(s)).toEqual([]);
      expect(await leave(s, "a", null)).toBe("missing");
    });

    it("takes one out that an observer saw silent, unless it has beaten since", async () => {
      const s = scene();
      await join(s, "a");
      await beat(s, "a");
      expect(await leave(s, "a", 1)).toBe("stale");
      expect(await listed(s)).toHaveLength(1);
      expect(await leave(s, "a", 2)).toBe("ok");
      expect(await listed(s)).toEqual([]);
    });

    it("makes one that comes back the youngest", async () => {
      const s = scene();
      await join(s, "a");
      await join(s, "b");
      await leave(s, "a", null);
      expect((await join(s, "a")).elders.map(({ incarnation }) => incarnation)).toEqual([`${s.segment}-b`]);
    });
  });
}

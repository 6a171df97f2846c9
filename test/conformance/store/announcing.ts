/** Sentences about a store that may have forgotten: what an owner runs beside what the Segment knows. */
import type { Claim } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes } from "../../helper/bytes.js";
import type { Scene } from "./scene.js";

/** Claims as an owner remembers them of a history that this Segment does not have. */
function lost(laneName: string, counter: number, claim: Partial<Claim> = {}) {
  const again = { queue: "q", priority: 0, generation: 0, attempt: 2, recoveries: 1, body: bytes(`lost${counter}`) };
  return { laneName, counter, token: 7, again: { ...again, ...claim } };
}

export function announcingSentences(scene: () => Scene): void {
  describe("announce", () => {
    const announce = async (s: Scene, elements: Parameters<Scene["store"]["announce"]>[1]["elements"], owner = "o1") =>
      (await s.store.announce(s.segment, { owner, elements })).answers;

    it("I8: keeps what the owner holds by this token, and voids what anybody else has, or nobody any more", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a", "b", "c"]);
      const [a, b] = await s.claim("o1", 2);
      if (a === undefined || b === undefined) throw new Error("two are claimed");
      await s.complete("o1", [b]);
      const waiting = { laneName: lane.laneName, counter: 3, token: a.token };
      const elements = [a, { ...a, token: a.token - 1 }, b, waiting].map((one) => ({ ...one, again: null }));
      expect(await announce(s, elements)).toEqual(["keep", "stale", "stale", "stale"]);
      expect(await announce(s, elements.slice(0, 1), "o2")).toEqual(["stale"]);
    });

    it("I4: puts back what it does not know, once, in front, as recovered; asked about alone it stays missing", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      const elements = [lost("z9.00", 3), lost("z9.00", 5)];
      expect(await announce(s, [{ ...lost("z9.00", 3), again: null }])).toEqual(["missing"]);
      expect(await announce(s, elements)).toEqual(["recovered", "recovered"]);
      expect(await announce(s, elements)).toEqual(["stale", "stale"]);
      const claims = await s.claim("o1");
      expect(claims.map(({ laneName, counter }) => `${laneName} ${counter}`)).toEqual([
        "z9.00 3",
        "z9.00 5",
        "a1.01 1",
      ]);
      expect(claims[0]).toMatchObject({ attempt: 2, recoveries: 2, generation: 0 });
    });

    it("I4: a full-path dot that was put back is a duplicate for who sends it again", async () => {
      const s = scene();
      await announce(s, [lost("z9.00", 3)]);
      const lane = await s.full("z9.00");
      expect(await s.enqueueFull(lane, [{ counter: 3, text: "lost3" }])).toEqual(["duplicate"]);
    });

    it("I4: a fast lane that got something back above its mark takes nothing again that it cannot tell from it", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      expect(await announce(s, [lost("a1.01", 4)])).toEqual(["recovered"]);
      expect((await s.enqueue(lane, 2, ["b", "c"])).answer).toBe("gap");
      expect((await s.enqueue(lane, 4, ["lost4"])).answer).toBe("gap");
      expect((await s.enqueue(lane, 5, ["d"])).answer).toBe("ok");
      expect(await s.claimTexts("o1")).toEqual(["lost4", "a", "d"]);
    });

    it("I2: what lies below a mark that was raised so is missing, not ready for ever, and can be put back, too", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      expect(await announce(s, [lost("a1.01", 4)])).toEqual(["recovered"]);
      const stateOf = async (counter: number) => {
        const { records } = await s.store.find(s.segment, { dots: [{ laneName: "a1.01", counter }], wait: true });
        const [record = "none"] = records;
        return typeof record === "string" ? record : record.state;
      };
      expect(await Promise.all([1, 2, 3, 4, 5].map(stateOf))).toEqual([
        "ready",
        "missing",
        "missing",
        "ready",
        "missing",
      ]);
      expect(await announce(s, [{ ...lost("a1.01", 3), again: null }], "o2")).toEqual(["missing"]);
      expect(await announce(s, [lost("a1.01", 3)], "o2")).toEqual(["recovered"]);
      expect(await s.claimTexts("o3")).toEqual(["lost3", "lost4", "a"]);
    });

    it("I2: what lies below such a mark can be put back after more of its lane was claimed, too", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      expect(await announce(s, [lost("a1.01", 4)])).toEqual(["recovered"]);
      // Its writer goes on behind the mark: nothing of that was lost.
      expect((await s.enqueue(lane, 5, ["e"])).answer).toBe("ok");
      expect(await s.claimTexts("o3")).toEqual(["lost4", "a", "e"]);
      expect(await s.state(lane, 3)).toBe("missing");
      expect(await announce(s, [{ ...lost("a1.01", 3), again: null }], "o2")).toEqual(["missing"]);
      expect(await announce(s, [lost("a1.01", 3)], "o2")).toEqual(["recovered"]);
      expect(await announce(s, [lost("a1.01", 1)], "o2")).toEqual(["stale"]);
      expect(await s.claimTexts("o2")).toEqual(["lost3"]);
    });

    it("I8: no token at or below one that was announced is given out any more", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a", "b"]);
      const a = await s.claimOne("o1");
      const ahead = a.token + 1e12;
      expect(await announce(s, [{ ...lost("z9.00", 1), token: ahead, again: null }])).toEqual(["missing"]);
      expect((await s.claimOne("o2")).token).toBe(ahead + 1);
    });
  });
}

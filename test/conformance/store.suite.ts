/**
 * The store contract as tests, a sentence each: whatever passes this suite is a Store.
 *
 * Exported for every store, every server and every setting that wants to be called one. The sentences stand in
 * store/, by what they are about.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { regressionSentences } from "../regressions/at-store.js";
import { announcingSentences } from "./store/announcing.js";
import { cancelSentences } from "./store/cancel.js";
import { claimSentences } from "./store/claim.js";
import { enqueueSentences } from "./store/enqueue.js";
import { eventSentences } from "./store/event.js";
import { fullGateSentences } from "./store/full-gates.js";
import { housekeepingSentences } from "./store/housekeeping.js";
import { inspectingSentences } from "./store/inspecting.js";
import { lapseSentences } from "./store/lapsing.js";
import { liveSentences } from "./store/live.js";
import { nodeSentences } from "./store/node.js";
import { openingSentences } from "./store/opening.js";
import { outcomeSentences } from "./store/outcome.js";
import { readingSentences } from "./store/reading.js";
import { Scene, type Setup, type StoreUnderTest } from "./store/scene.js";
import { tiedLaneSentences } from "./store/tied-lanes.js";
import { tieSentences } from "./store/ties.js";

export type { Setup, StoreUnderTest } from "./store/scene.js";

/** Runs every sentence of the contract on one store. */
export function storeSuite(name: string, setup: Setup): void {
  describe(name, () => {
    let sut: StoreUnderTest | null = null;
    let scene: Scene | null = null;
    const present = (): Scene => {
      if (scene === null) throw new Error("there is a scene only while a test runs");
      return scene;
    };

    beforeAll(async () => {
      sut = await setup();
    });
    beforeEach(async () => {
      if (sut === null) throw new Error("the store was not set up");
      scene = await Scene.open(sut);
    });
    afterEach(() => {
      scene?.close();
    });
    afterAll(async () => {
      await sut?.close();
    });

    openingSentences(present);
    enqueueSentences(present);
    claimSentences(present);
    outcomeSentences(present);
    announcingSentences(present);
    cancelSentences(present);
    housekeepingSentences(present);
    readingSentences(present);
    inspectingSentences(present);
    eventSentences(present);
    tieSentences(present);
    liveSentences(present);
    tiedLaneSentences(present);
    fullGateSentences(present);
    lapseSentences(present);
    nodeSentences(present);
    regressionSentences(present);
  });

  describe(`${name}, closed`, () => {
    it("refuses every call", async () => {
      const { store, close } = await setup();
      await store.openSegment("closing");
      await close();
      await expect(store.counts("closing")).rejects.toThrow();
      await expect(store.ready()).rejects.toMatchObject({ code: "MR_APP_CLOSED" });
    });

    it("may be closed twice", async () => {
      const { close } = await setup();
      await close();
      await close();
    });
  });
}

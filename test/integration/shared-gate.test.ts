/** X4: a limit that Operations of several Queues share, while one of these Queues is paused, on every store. */
import { App } from "@millrace/core";
import { afterEach, describe, expect, it } from "vitest";
import { closeAll, everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";

const places = everyPlace("shared-gate");

describe.each(places)("a limit shared by two Queues on $name", ({ fresh }) => {
  const open: App[] = [];
  afterEach(async () => await closeAll(open));

  /** One slot; whoever runs says so and waits for its end. */
  const scene = async () => {
    const app = new App({
      ...(await fresh()),
      nodeId: "web-1",
      workers: { asyncWorkers: 1, slots: 8, queues: ["here", "there"] },
    });
    open.push(app);
    const began: string[] = [];
    const ends = new Map<string, () => void>();
    const work = app.step("work", { queue: "here", concurrency: 1 }, async (name: string) => {
      began.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
    });
    await app.start();
    const begun = async (name: string) => await poll(() => (began.includes(name) ? true : null), `${name} to begin`);
    const end = (name: string): void => ends.get(name)?.();
    const blocked = async (count: number) =>
      await poll(async () => ((await app.inspect.counts()).rows[0]?.blocked === count ? true : null), `${count} kept`);
    return { app, work, began, begun, end, blocked };
  };

  it("X4: a limit goes on with the other Queue while who is next waits in a paused one, and turns to it on resume", async () => {
    const { app, work, began, begun, end, blocked } = await scene();
    await work.enqueue("first");
    await begun("first");
    await work.enqueue("paused", { queue: "there" });
    await blocked(1);
    const second = await work.enqueue("second");
    await blocked(2);
    await app.queue("there").pause();
    end("first");
    await begun("second");
    const third = await work.enqueue("third");
    end("second");
    await second.wait({ timeout: "10s" });
    await begun("third");
    await app.queue("there").resume();
    expect(began).toEqual(["first", "second", "third"]);
    end("third");
    await third.wait({ timeout: "10s" });
    await begun("paused");
    end("paused");
    expect((await app.inspect.fsck().done()).found).toBe(0);
  });

  it("X4: a pause hands on the turn of who has it and was not claimed", async () => {
    const { app, work, began, begun, end, blocked } = await scene();
    await work.enqueue("first");
    await begun("first");
    const turn = await work.enqueue("paused", { queue: "there" });
    await blocked(1);
    await work.enqueue("second");
    await blocked(2);
    // While it stops, nothing is claimed.
    const stopped = app.stop({ drain: "10s" });
    end("first");
    await stopped;
    await blocked(1);
    expect((await turn.status()).blocked).toBe(null);
    await app.queue("there").pause();
    await blocked(0);
    await app.start();
    await begun("second");
    expect(began).toEqual(["first", "second"]);
    end("second");
    expect((await app.inspect.fsck().done()).found).toBe(0);
  });
});

/** Trees of jobs through the BullMQ door: children first, the parent behind them, on memory and on Redis. */
import { describe, expect, test } from "vitest";
import { within } from "../../helper/wait.js";
import { gate, House, inState, places, refusal } from "./house.js";

describe.each(places)("X27: a FlowProducer on $label", (place) => {
  test("X27: the parent runs after its children, in whatever queues, and reads what they gave", async () => {
    await using house = new House(place);
    const order: string[] = [];
    house.worker(
      async (job) => {
        order.push(job.name);
        return `${job.name} done`;
      },
      {},
      "parts",
    );
    house.worker(async (job) => {
      order.push(job.name);
      return Object.values(await job.getChildrenValues()).sort();
    });
    const { job, children } = await house.flows().add({
      name: "car",
      queueName: "work",
      children: [
        { name: "wheels", queueName: "parts", data: { n: 4 } },
        { name: "engine", queueName: "parts" },
      ],
    });
    expect(children?.map((node) => node.job.name)).toEqual(["wheels", "engine"]);
    expect(await job.waitUntilFinished(null, 20_000)).toEqual(["engine done", "wheels done"]);
    expect(order.at(-1)).toBe("car");
    expect(order).toHaveLength(3);
  });

  test("X27: a parent waits for children that wait themselves", async () => {
    await using house = new House(place);
    const end = gate();
    house.worker(async (job) => {
      if (job.name === "leaf") await end.opened;
      return job.name;
    });
    const { job } = await house.flows().add({
      name: "root",
      queueName: "work",
      children: [{ name: "branch", queueName: "work", children: [{ name: "leaf", queueName: "work" }] }],
    });
    await inState(job, "waiting-children");
    expect(await job.getDependenciesCount()).toEqual({ processed: 0, unprocessed: 1, failed: 0, ignored: 0 });
    end.open();
    expect(await job.waitUntilFinished(null, 20_000)).toBe("root");
    expect(Object.values((await job.getDependencies()).processed)).toEqual(["branch"]);
  });

  test("X27: failParentOnFailure fails the parent with its child", async () => {
    await using house = new House(place);
    house.worker(async (job) => {
      if (job.name === "child") throw new Error("no steel");
      return "never";
    });
    const { job } = await house.flows().add({
      name: "parent",
      queueName: "work",
      children: [{ name: "child", queueName: "work", opts: { failParentOnFailure: true } }],
    });
    expect((await refusal(() => job.waitUntilFinished(null, 20_000))).message).toContain("no steel");
  });

  test("X27: ignoreDependencyOnFailure lets the parent run and tells it", async () => {
    await using house = new House(place);
    house.worker(async (job) => {
      if (job.name === "child") throw new Error("no steel");
      return Object.values(await job.getIgnoredChildrenFailures());
    });
    const { job } = await house.flows().add({
      name: "parent",
      queueName: "work",
      children: [{ name: "child", queueName: "work", opts: { ignoreDependencyOnFailure: true } }],
    });
    expect(await job.waitUntilFinished(null, 20_000)).toEqual(["no steel"]);
  });

  test("X27: continueParentOnFailure begins the parent while other children go on", async () => {
    await using house = new House(place);
    const end = gate();
    house.worker(
      async (job) => {
        if (job.name === "bad") throw new Error("no");
        if (job.name === "slow") await end.opened;
        return job.name;
      },
      { concurrency: 2 },
    );
    const { job } = await house.flows().add({
      name: "parent",
      queueName: "work",
      children: [
        { name: "slow", queueName: "work" },
        { name: "bad", queueName: "work", opts: { continueParentOnFailure: true } },
      ],
    });
    expect(await job.waitUntilFinished(null, 20_000)).toBe("parent");
    end.open();
  });

  test("X27: without such an option a failed child keeps its parent waiting until it is retried", async () => {
    await using house = new House(place);
    let isBroken = true;
    house.worker(async (job) => {
      if (job.name === "child" && isBroken) throw new Error("no");
      return job.name;
    });
    const { job, children } = await house.flows().add({
      name: "parent",
      queueName: "work",
      children: [{ name: "child", queueName: "work" }],
    });
    const child = children?.[0]?.job;
    if (child === undefined) throw new Error("the child was added");
    await inState(child, "failed");
    await inState(job, "waiting-children");
    isBroken = false;
    await child.retry();
    expect(await job.waitUntilFinished(null, 20_000)).toBe("parent");
  });

  test("X27: a removed child is no dependency any more", async () => {
    await using house = new House(place);
    const queue = house.queue();
    const { job, children } = await house.flows().add({
      name: "parent",
      queueName: "work",
      children: [{ name: "child", queueName: "work" }],
    });
    await queue.remove(children?.[0]?.job.id ?? "");
    const ran: string[] = [];
    house.worker(async (one) => void ran.push(one.name));
    await within(job.waitUntilFinished(null, 20_000), "the parent");
    expect(ran).toEqual(["parent"]);
  });

  test("X27: addBulk adds trees, getFlow reads one", async () => {
    await using house = new House(place);
    const flows = house.flows();
    const nodes = await flows.addBulk([
      { name: "one", queueName: "work", children: [{ name: "leaf", queueName: "work", data: { n: 1 } }] },
      { name: "two", queueName: "work" },
    ]);
    expect(nodes.map(({ job }) => job.name)).toEqual(["one", "two"]);
    const flow = await flows.getFlow({ id: nodes[0]?.job.id ?? "", queueName: "work" });
    expect(flow?.job.name).toBe("one");
    expect(flow?.children?.map(({ job }) => job.data)).toEqual([{ n: 1 }]);
  });

  test("X27: a tree with a refused option is refused whole", async () => {
    await using house = new House(place);
    const error = await refusal(() =>
      house.flows().add({
        name: "parent",
        queueName: "work",
        opts: { lifo: true },
        children: [{ name: "child", queueName: "work" }],
      }),
    );
    expect(error.code).toBe("MR_COMPAT_UNSUPPORTED");
    expect(await house.queue().count()).toBe(0);
  });
});

/** What a Worker makes of the user's module: which App it runs, and how it says that it cannot. */
import { describe, expect, it } from "vitest";
import { within } from "../helper/wait.js";
import { FakeForeman, type FakeForemanOptions, moduleUrl } from "./fake-foreman.js";

async function stepsOf(module: string, options: FakeForemanOptions = {}): Promise<string[]> {
  await using foreman = new FakeForeman(module, options);
  return (await within(foreman.ready, "ready")).steps.map(({ name }) => name);
}

describe("the App a Worker runs", () => {
  it("is the one whose start() the module calls; what stands below is not run", async () => {
    await using foreman = new FakeForeman("single-file");
    const { app } = await within(foreman.ready, "ready");
    expect(app.options.module).toBe(moduleUrl("single-file"));
    expect(await foreman.run("only", 1)).toMatchObject({ value: 2 });
  });

  it("is the export that is named, else `app`, else `default`, else the only one", async () => {
    expect(await stepsOf("two-apps", { exportName: "second" })).toEqual(["of-second"]);
    expect(await stepsOf("seated")).toContain("enqueue");
    expect(await stepsOf("default-app")).toEqual(["of-default"]);
  });

  it("is the one of the Foreman's id among several, if only one has it", async () => {
    expect(await stepsOf("two-ids", { appId: "other" })).toEqual(["of-other"]);
    expect(await stepsOf("two-ids", { appId: "test" })).toEqual(["of-test"]);
  });

  it("is told by a scout, which runs nothing and ends with code 0", async () => {
    await using foreman = new FakeForeman("steps", { isScout: true, appId: null });
    expect((await within(foreman.ready, "ready")).app.id).toBe("test");
    expect(await within(foreman.exited, "the end")).toBe(0);
  });
});

describe("a module that cannot be run", () => {
  const cases: [why: string, module: string, options: FakeForemanOptions, reason: string][] = [
    ["throws", "throws", {}, "importing it threw MillraceError: Step `twice` is declared twice"],
    ["does not exist", "nowhere", {}, "importing it threw Error: Cannot find module"],
    ["makes no App", "no-app", {}, "it makes no App: export the App as `app`, or call app.start() in the module"],
    ["exports none", "unexported", {}, "it makes an App but does not export it"],
    ["exports several", "two-apps", {}, "it exports 2 Apps (first, second): name the one to run `app`"],
    ["lacks the export named", "steps", { exportName: "missing" }, "it has no export `missing`"],
    ["exports no App by the name", "no-app", { exportName: "answer" }, "its export `answer` is no App"],
    ["throws below start()", "throws-later", {}, "importing it threw RangeError: below start"],
    ["is another App's", "steps", { appId: "shop" }, "its App is called test, the Foreman's shop"],
    ["has an executor that does not start", "executor-fails", {}, "an executor did not start"],
  ];
  for (const [why, module, options, reason] of cases) {
    it(`(it ${why}) ends its Worker with code 1 and the reason`, async () => {
      await using foreman = new FakeForeman(module, options);
      const error = await within(foreman.ready, "the failure").catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "MR_MODULE_FAILED" });
      expect((error as Error).message).toContain(`module ${moduleUrl(module)} cannot be run by a Worker: ${reason}`);
      expect(await within(foreman.exited, "the end")).toBe(1);
    });
  }
});

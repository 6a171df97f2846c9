/** The mix of real Worker threads follows the work: from samples of a running Foreman to threads that change their kind. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FOREMAN_VIEW, SETTLE_IN } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { openApps } from "../helper/open-apps.js";
import { poll } from "../helper/wait.js";
import { makeApp } from "./threads-app.js";

const module = new URL("../dist/integration/threads-app.js", import.meta.url);
const apps = openApps<ReturnType<typeof makeApp>>();

function appUnderTest(workers: Parameters<typeof makeApp>[0]): ReturnType<typeof makeApp> {
  return apps.add(makeApp({ module, ...workers }));
}

async function optimiserOf(app: ReturnType<typeof makeApp>["app"]) {
  const { foreman } = await app[FOREMAN_VIEW]();
  const optimiser = foreman()?.optimiser;
  if (optimiser === undefined || optimiser === null) throw new Error("a Foreman with Workers has an optimiser");
  return optimiser;
}

describe("a Foreman with Workers", () => {
  it("B17: gives Workers to the kind whose work piles up, and finishes it", { timeout: 60_000 }, async () => {
    const { app, cpu } = appUnderTest({ workers: { asyncWorkers: 3, blockingWorkers: 1, slots: 4 } });
    const folder = mkdtempSync(join(tmpdir(), "millrace-mix-"));
    const logPath = join(folder, "worker_mix.log");
    app[SETTLE_IN]({ mix: { settings: {}, pins: null, logPath } });
    await app.start();
    const optimiser = await optimiserOf(app);
    const { handles } = await app.enqueueMany(
      cpu,
      Array.from({ length: 1_500 }, () => 10),
    );
    await poll(
      () => (app.workers().filter(({ kind }) => kind === "blocking").length >= 3 ? true : null),
      "Workers",
      30_000,
    );
    const [override] = optimiser.decisions().filter(({ event }) => event === "override");
    expect(override?.payload.reason).toContain("blocking urgent");
    expect(override?.payload.queues.blocking.backlog).toBeGreaterThan(300);
    for (const handle of handles) if (!(handle instanceof Error)) await handle.result();
    expect(app.metrics().completed).toBe(1_500);
    const decisions = optimiser.decisions();
    await app.stop();
    const lines = readFileSync(logPath, "utf8").trimEnd().split("\n");
    expect(lines.slice(0, decisions.length).map((line) => JSON.parse(line))).toEqual(decisions);
    rmSync(folder, { recursive: true });
  });

  it("B16, B17: stays as it is when it is told so, and follows what is configured while it runs", async () => {
    const { app, echo } = appUnderTest({ workers: { asyncWorkers: 2, blockingWorkers: 1, autoOptimize: false } });
    await app.start();
    const { foreman } = await app[FOREMAN_VIEW]();
    foreman()?.applyMix({ blocking: 2, async: 1, slots: 3 });
    await poll(
      () => (app.workers().filter(({ kind }) => kind === "blocking").length === 2 ? true : null),
      "the change",
    );
    expect(await app.run(echo, 7)).toBe(7);
    expect((await optimiserOf(app)).view().state).toBe("stable");
  });
});

it("a pin that is no number refuses the start", async () => {
  process.env.MILLRACE_FORCE_SLOTS = "many";
  try {
    const { app } = appUnderTest({});
    await expect(app.start()).rejects.toMatchObject({ code: "MR_INVALID_OPTION" });
  } finally {
    delete process.env.MILLRACE_FORCE_SLOTS;
  }
});

/** A Worker of the BullMQ door dies: what it had runs elsewhere, and is said to have stalled. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { within } from "../../helper/wait.js";
import { House, inState, next, redisPlace, refusal } from "./house.js";

const program = join(import.meta.dirname, "../../dist/integration/bullmq/stalled-program.js");
const children: ReturnType<typeof fork>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Starts a process whose Worker takes the next jobs and never ends them; resolves with it when it has begun one. */
async function stuckWorker(prefix: string): Promise<ReturnType<typeof fork>> {
  const child = fork(program, [process.env.MILLRACE_REDIS_URL ?? "", prefix]);
  children.push(child);
  await within(new Promise((resolve) => child.once("message", resolve)), "the process beginning a job", 20_000);
  return child;
}

describe("X27: stalled jobs", () => {
  test("X27: a killed Worker's job runs elsewhere, no attempt spent, and stalled is told", async () => {
    await using house = new House(redisPlace);
    const job = await house.queue().add("a", {});
    const child = await stuckWorker(house.prefix);
    const worker = house.worker(async (again) => [again.attemptsMade, again.stalledCounter]);
    const stalled = next(worker, "stalled");
    await worker.waitUntilReady();
    child.kill("SIGKILL");
    expect(await within(job.waitUntilFinished(null, 30_000), "the job ending", 30_000)).toEqual([0, 1]);
    expect(await stalled).toEqual([job.id, "active"]);
  });

  test("X27: a job that stalled more often than maxStalledCount fails", async () => {
    await using house = new House(redisPlace);
    const queue = house.queue();
    const job = await queue.add("a", {});
    const child = await stuckWorker(house.prefix);
    const worker = house.worker(async () => "never", { maxStalledCount: 0 });
    await worker.waitUntilReady();
    child.kill("SIGKILL");
    await within(
      refusal(() => job.waitUntilFinished(null, 30_000)),
      "the job failing",
      30_000,
    );
    await inState(job, "failed");
    expect((await queue.getJob(job.id))?.failedReason).toContain("stalled");
  });
});

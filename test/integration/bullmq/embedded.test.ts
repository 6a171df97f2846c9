/** The BullMQ door with nothing installed: jobs in a directory. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Queue, Worker } from "@millrace/core/compat/bullmq";
import { afterAll, describe, expect, test } from "vitest";

const folders: string[] = [];
afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

describe("X27: the embedded store", () => {
  test("X27: queues lie side by side in one directory, and jobs are there when it is opened again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "millrace-bullmq-"));
    folders.push(folder);
    const store = `embedded:${folder}`;
    const [mails, bills] = [new Queue("mails", { store }), new Queue("bills", { store })];
    const { id } = await mails.add("welcome", { to: "ada" }, { attempts: 2 });
    await bills.add("bill", {});
    await Promise.all([mails.close(), bills.close()]);

    const again = new Queue("mails", { store });
    expect(await again.getJob(id)).toMatchObject({ name: "welcome", data: { to: "ada" }, opts: { attempts: 2 } });
    const worker = new Worker("mails", async (job) => `hello ${job.data.to}`, { store });
    const job = await again.getJob(id);
    expect(await job?.waitUntilFinished(null, 10_000)).toBe("hello ada");
    await worker.close();
    await again.close();
  });
});

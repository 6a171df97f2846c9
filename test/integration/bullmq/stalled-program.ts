/** A process with a Worker of the BullMQ door whose jobs never end: to be killed. Arguments: Redis URL, prefix. */
import { Worker } from "@millrace/core/compat/bullmq";

const [, , connection, prefix = "bull"] = process.argv;
const worker = new Worker(
  "work",
  async (job) => {
    process.send?.({ began: job.id });
    await new Promise(() => undefined);
  },
  { connection, prefix, concurrency: 2 },
);
worker.on("error", (error) => {
  console.error(error);
  process.exit(1);
});

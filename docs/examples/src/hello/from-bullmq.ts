/**
 * A BullMQ program on Millrace: the import is another one, and (to run with nothing installed) `store: "memory:"` stands
 * where `connection` did. Retries with backoff, priorities, progress, events, a flow and
 * a job id.
 *
 * Prints:
 *   retried once: invoice 1
 *   progress of urgent: 50
 *   done: urgent
 *   done: someday
 *   report of: pages 2
 *   added twice, there once: 1
 */
import { FlowProducer, Queue, QueueEvents, Worker } from "@millrace/core/compat/bullmq";

const connection = { store: "memory:" }; // as it was: { connection: { host: "localhost", port: 6379 } }

const mails = new Queue("mails", connection);
const letters = new Queue("letters", connection);
const heard = new QueueEvents("letters", connection);
heard.on("progress", ({ data }) => console.log(`progress of urgent: ${data}`));

const mailer = new Worker(
  "mails",
  async (job) => {
    if (job.attemptsMade === 0) throw new Error("the mail server is busy");
    return `invoice ${job.data.number}`;
  },
  connection,
);
const invoice = await mails.add("invoice", { number: 1 }, { attempts: 3, backoff: { type: "exponential", delay: 10 } });
console.log(`retried once: ${await invoice.waitUntilFinished()}`);

const later = await letters.add("someday", {}, { priority: 9 });
const now = await letters.add("urgent", {}, { priority: 1 });
const writer = new Worker(
  "letters",
  async (job) => {
    if (job.name === "urgent") await job.updateProgress(50);
    return job.name;
  },
  connection,
);
console.log(`done: ${await now.waitUntilFinished(heard)}`);
console.log(`done: ${await later.waitUntilFinished(heard)}`);

const printer = new Worker(
  "printer",
  async (job) => (job.name === "page" ? 1 : `pages ${Object.keys(await job.getChildrenValues()).length}`),
  connection,
);
const flows = new FlowProducer(connection);
const page = { name: "page", queueName: "printer" };
const { job: report } = await flows.add({ name: "report", queueName: "printer", children: [page, page] });
console.log(`report of: ${await report.waitUntilFinished()}`);

const orders = new Queue("orders", connection);
for (let i = 0; i < 2; i++) await orders.add("order", { number: 17 }, { jobId: "order-17" });
console.log(`added twice, there once: ${await orders.count()}`);

await Promise.all([mailer, writer, printer, mails, letters, heard, flows, orders].map((one) => one.close()));

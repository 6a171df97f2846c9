/** Millrace through its BullMQ-compatible door: the program of bullmq.ts with another import. */
import { Queue, Worker } from "@millrace/core/compat/bullmq";
import { openBullmq } from "./bullmq.js";
import type { Subject } from "./subject.js";

/** This repository, as a BullMQ program uses it. */
export const millraceBullmq: Subject = {
  name: "millrace-bullmq",
  keeps: "what `millrace` keeps, and the job's name, data and options beside its result, without end",
  settings: "what bullmq's are: defaults but for the concurrency",
  concurrencies: [1, 50, 100, 200],
  jobs: 100_000,
  open: (place) => openBullmq({ Queue, Worker }, place),
};

/** All subjects by name, ours first. */
import { beeQueue } from "./bee-queue.js";
import { bullmq } from "./bullmq.js";
import { millrace, millraceThreads } from "./millrace.js";
import { millraceBullmq } from "./millrace-bullmq.js";
import { rawRedis } from "./raw-redis.js";
import type { Subject } from "./subject.js";

/** Names of the subjects that are compared with each other, in the order they are shown. */
export const subjectNames = ["millrace", "bullmq", "bee-queue", "raw-redis"] as const;

/** The name of a subject; Millrace on threads is compared with itself alone, its BullMQ door with BullMQ alone. */
export type SubjectName = (typeof subjectNames)[number] | "millrace-threads" | "millrace-bullmq";

/** The subjects. */
export const subjects: Readonly<Record<SubjectName, Subject>> = {
  millrace,
  "millrace-threads": millraceThreads,
  "millrace-bullmq": millraceBullmq,
  bullmq,
  "bee-queue": beeQueue,
  "raw-redis": rawRedis,
};

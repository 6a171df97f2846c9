/** All subjects by name, ours first. */
import { beeQueue } from "./bee-queue.js";
import { bullmq } from "./bullmq.js";
import { millrace } from "./millrace.js";
import { rawRedis } from "./raw-redis.js";
import type { Subject } from "./subject.js";

/** Names of the subjects, in the order they are shown. */
export const subjectNames = ["millrace", "bullmq", "bee-queue", "raw-redis"] as const;

/** The name of a subject. */
export type SubjectName = (typeof subjectNames)[number];

/** The subjects. */
export const subjects: Readonly<Record<SubjectName, Subject>> = {
  millrace,
  bullmq,
  "bee-queue": beeQueue,
  "raw-redis": rawRedis,
};

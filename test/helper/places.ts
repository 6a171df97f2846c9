/**
 * The four places an App can keep its work in, for suites that say the same of each: memory, an embedded store in a
 * folder of its own, the Redis of the test run, and a Cluster of three primaries, started when it is first asked for.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App, AppOptions } from "@millrace/core";
import { afterAll } from "vitest";
import { RedisCluster } from "./cluster.js";

/** A kind of store. */
export interface Place {
  readonly name: string;
  /** Whether a second App can join the first one's work (several processes, in effect). */
  readonly isShared: boolean;
  /** Options that meet nobody else's work. */
  fresh(): Promise<Pick<AppOptions, "store" | "id">>;
}

let made = 0;

/** All four; what they start ends with the test file. Call it once, at its top. */
export function everyPlace(label: string): readonly Place[] {
  const folders: string[] = [];
  let cluster: Promise<RedisCluster> | null = null;
  afterAll(async () => {
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
    await (await cluster)?.stop();
  });
  const id = (): string => `${label}-${process.pid}-${made++}`;
  return [
    { name: "memory", isShared: false, fresh: async () => ({ store: "memory:" }) },
    {
      name: "embedded",
      isShared: false,
      fresh: async () => {
        const folder = await mkdtemp(join(tmpdir(), `millrace-${label}-`));
        folders.push(folder);
        return { store: `embedded:${folder}` };
      },
    },
    { name: "Redis", isShared: true, fresh: async () => ({ store: process.env.MILLRACE_REDIS_URL ?? "", id: id() }) },
    {
      name: "Cluster",
      isShared: true,
      fresh: async () => {
        cluster ??= RedisCluster.start();
        return { store: (await cluster).url, id: id() };
      },
    },
  ];
}

/** Closes a test's Apps: what still runs is given back. */
export async function closeAll(apps: App[]): Promise<void> {
  await Promise.all(
    apps.splice(0).map(async (app) => {
      await app.stop({ drain: 0 });
      await app.close();
    }),
  );
}

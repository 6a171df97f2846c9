/**
 * The real Lua as a side of the comparison: the test build of the library on a throw-away server, called through the
 * Redis store itself, so that arguments and answers are proved together with the transitions.
 *
 * Sequences of a batch go in lockstep: the clocks of all are set in one command, then each makes its next call.
 */
import { RedisStore } from "@millrace/core/internal";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import type { Plain } from "../helper/bytes.js";
import { plainClient } from "../helper/redis.js";
import { clockKey, rootOf } from "../helper/redis-under-test.js";
import { canonicalAnswer, canonicalSnapshot } from "./canonical.js";
import { redisSnapshot } from "./redis-snapshot.js";
import type { Outcome, Part, Side } from "./side.js";
import { expectSound } from "./sound.js";
import { callStore } from "./store-call.js";

const app = "sim";

/** Changes the text of the library before it is loaded: how a mutant is made. */
export type Mutation = (libraryText: string) => string;

/** Starts a server for the comparison. */
export async function startRedisSide(mutate: Mutation | null = null): Promise<Side> {
  const server = await startRedis();
  const client = plainClient(server.socket);
  const store = new RedisStore({ url: server.url, app, test: true, scripting: "functions" });
  await store.open();
  if (mutate !== null) await replaceLibrary(client, mutate);
  return new RedisSide(server, client, store);
}

class RedisSide implements Side {
  readonly name = "redis";
  readonly forgetsWaiters = false;
  readonly #server: RedisServer;
  readonly #client: Redis;
  readonly #store: RedisStore;

  constructor(server: RedisServer, client: Redis, store: RedisStore) {
    this.#server = server;
    this.#client = client;
    this.#store = store;
  }

  async run(parts: readonly Part[]): Promise<readonly Outcome[]> {
    await this.#client.flushall();
    await Promise.all(parts.map(({ segment }) => this.#store.openSegment(segment)));
    const answers: (Plain | Error)[][] = parts.map(() => []);
    const longest = Math.max(...parts.map(({ calls }) => calls.length));
    for (let step = 0; step < longest; step++) {
      const clocks = parts.flatMap(({ segment, calls }) => {
        const call = calls[step];
        return call === undefined ? [] : [clockKey(app, segment), String(call.atUs)];
      });
      await this.#client.mset(...clocks);
      await Promise.all(
        parts.map(async ({ segment, calls }, i) => {
          const call = calls[step];
          if (call === undefined) return;
          const answer = await callStore(this.#store, segment, call).then(canonicalAnswer, asError);
          answers[i]?.push(answer);
        }),
      );
    }
    const known = new Set([`{${app}}:segments`]);
    const existing = new Set(await this.#client.keys("*"));
    const uncork = this.#cork();
    const outcomes = await Promise.all(
      parts.map(async ({ segment }, i): Promise<Outcome> => {
        known.add(clockKey(app, segment));
        const given = answers[i] ?? [];
        const failed = given.find((answer) => answer instanceof Error);
        if (failed instanceof Error) return { answers: given.map(asPlain), end: null, trouble: failed.message };
        try {
          const { snapshot, keys } = await redisSnapshot(this.#client, rootOf(app, segment), existing);
          for (const key of keys) known.add(key);
          await expectSound((params) => this.#store.check(segment, params));
          return { answers: given.map(asPlain), end: canonicalSnapshot(snapshot) };
        } catch (error) {
          return { answers: given.map(asPlain), end: null, trouble: asError(error).message };
        }
      }),
    );
    uncork();
    const strays = [...existing].filter((key) => !known.has(key));
    if (strays.length === 0) return outcomes;
    return outcomes.map((outcome, i) => {
      if (outcome.trouble !== undefined) return outcome; // its keys were not all read
      const own = strays.filter((key) => key.startsWith(rootOf(app, parts[i]?.segment ?? "")));
      return own.length === 0 ? outcome : { ...outcome, trouble: `keys that belong to nothing: ${own.join(" ")}` };
    });
  }

  /** Gathers the many small reads of snapshots into few writes to the socket, until told to stop. */
  #cork(): () => void {
    const { stream } = this.#client;
    let isOver = false;
    const breathe = (): void => {
      stream.uncork();
      if (isOver) return;
      stream.cork();
      setImmediate(breathe);
    };
    stream.cork();
    setImmediate(breathe);
    return () => {
      isOver = true;
    };
  }

  async close(): Promise<void> {
    await this.#store.close();
    this.#client.disconnect();
    await this.#server.stop();
  }
}

/** Loads a changed text in the place of the library the store has just loaded. */
async function replaceLibrary(client: Redis, mutate: Mutation): Promise<void> {
  const listed = (await client.call("FUNCTION", "LIST", "WITHCODE")) as unknown[][]; // one row a library
  for (const row of listed) {
    const text = row[row.indexOf("library_code") + 1];
    if (typeof text !== "string") throw new Error("the server does not tell the library's text");
    const mutant = mutate(text);
    if (mutant === text) throw new Error("the mutation found nothing to change");
    await client.call("FUNCTION", "LOAD", "REPLACE", mutant);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function asPlain(answer: Plain | Error): Plain {
  return answer instanceof Error ? `error: ${answer.message}` : answer;
}

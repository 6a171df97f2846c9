/**
 * One question to one server: dial, ask, go. For Sentinels and Cluster servers, which are asked where others are.
 */
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../base/clock.js";
import { silentLogger } from "../../base/log.js";
import type { Random } from "../../base/random.js";
import { Link, type Session } from "./connection.js";
import type { RedisTarget } from "./url.js";

/** What asking needs of its surroundings. */
export interface AskContext {
  readonly tls: ConnectionOptions | null;
  readonly clock: Clock;
  readonly random: Random;
}

/** Resolves as the question does. Errors: what it throws; an Error with the reason when there is no answer within `timeoutMs`. */
export async function ask<Answer>(
  { tls, clock, random }: AskContext,
  target: RedisTarget,
  timeoutMs: number,
  question: (session: Session) => Promise<Answer>,
): Promise<Answer> {
  let link: Link | null = null;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      link = new Link({
        ...{ target, tls, clock, random, logger: silentLogger, callTimeoutMs: timeoutMs },
        name: "millrace-ask",
        greet: async (session) => resolve(await question(session)),
        up: () => undefined,
        message: () => undefined,
        down: (reason) => reject(link?.fatal ?? new Error(reason)),
      });
      link.open();
    });
  } finally {
    // The closure above is the only one to set it, which the compiler cannot see.
    (link as Link | null)?.close();
  }
}

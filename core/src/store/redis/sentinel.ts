/**
 * Where the primary is, by its Sentinels: asked before each dial, and heard when they change it.
 *
 * All are asked at once, for one that stands still must not hold the others up; of those that answer, the one that
 * knows the latest change is believed. Nobody is believed for good: redis-store.ts asks the server itself for its role.
 * Used by redis-store.ts and examine.ts. Knows no key and no transition.
 */
import { createError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { type AskContext, ask } from "./ask.js";
import { isErrorReply, Link, type Reply, type Session } from "./connection.js";
import { placeOf, type RedisAddress, type RedisTarget } from "./url.js";

/** What asking Sentinels needs. */
export interface SentinelsOptions extends AskContext {
  readonly address: RedisAddress;
  readonly logger: Logger;
  /** A Sentinel says that the primary is at another place now ("host:port"). */
  readonly switched: (place: string) => void;
}

/** What one Sentinel says. */
interface Saying {
  readonly host: string;
  readonly port: number;
  /** Rises with each change of the primary. */
  readonly epoch: number;
}

/** How long one Sentinel may take to answer. */
const ANSWER_MS = 1_000;
/** How long the others are waited for once one has answered: they may know of a later change. */
const OTHERS_MS = 100;
/** Without an answer for so long a Sentinel that is listened to counts as silent; nothing is asked of it meanwhile. */
const WATCH_TIMEOUT_MS = 10_000;
const SWITCHED = "+switch-master";

/** The Sentinels of one primary. */
export class Sentinels {
  readonly #options: SentinelsOptions;
  /** One to each Sentinel: the one that would tell us may be the one that stands still. */
  readonly #watches: readonly Link[];
  #asking: Promise<RedisTarget> | null = null;

  constructor(options: SentinelsOptions) {
    this.#options = options;
    const { tls, clock, random, logger, address } = options;
    this.#watches = address.seeds.map(
      (target) =>
        new Link({
          ...{ target, tls, clock, random, logger, callTimeoutMs: WATCH_TIMEOUT_MS },
          name: "millrace-sentinel",
          greet: (session) => session.subscribe([SWITCHED]),
          up: () => undefined,
          message: (_, payload) => this.#hear(payload.toString()),
        }),
    );
  }

  /** Begins to listen for changes. */
  watch(): void {
    for (const link of this.#watches) link.open();
  }

  /** Listens no more. */
  close(): void {
    for (const link of this.#watches) link.close();
  }

  /**
   * Answers where the primary is. Those who ask at the same time share the answer.
   * Errors: MR_STORE_URL if no Sentinel that answers knows its name; an Error with the reason if none answers.
   */
  locate(): Promise<RedisTarget> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<RedisTarget> {
    const { address, clock } = this.#options;
    const { target, seeds, primaryName } = address;
    const sayings: Saying[] = [];
    const reasons: string[] = [];
    let strangers = 0;
    await new Promise<void>((resolve) => {
      let open = seeds.length;
      for (const seed of seeds) {
        ask(this.#options, seed, ANSWER_MS, (session) => sayingOf(session, primaryName))
          .then(
            (saying) => {
              if (saying === null) strangers++;
              else if (sayings.push(saying) === 1) clock.setTimer(OTHERS_MS, resolve);
            },
            (error: unknown) => {
              reasons.push(`${placeOf(seed)}: ${error instanceof Error ? error.message : String(error)}`);
            },
          )
          .finally(() => {
            open--;
            if (open === 0) resolve();
          });
      }
    });
    const [first, ...others] = sayings;
    if (first !== undefined) {
      const { host, port } = others.reduce((best, one) => (one.epoch > best.epoch ? one : best), first);
      return { ...target, host, port };
    }
    if (strangers > 0 && reasons.length === 0) {
      throw createError("MR_STORE_URL", {
        store: target.shown,
        reason: `its Sentinels know no primary called ${primaryName}`,
      });
    }
    throw new Error(`no Sentinel tells where the primary is (${reasons.join("; ")})`);
  }

  /** `<name> <old host> <old port> <new host> <new port>` */
  #hear(text: string): void {
    const [name, , , host = "", port = ""] = text.split(" ");
    const { address, switched } = this.#options;
    if (name === address.primaryName && host !== "") switched(placeOf({ host, port: Number(port), path: null }));
  }
}

/** What a Sentinel says of a primary; null if it does not know its name. Errors: an Error with the reason. */
async function sayingOf(session: Session, name: string): Promise<Saying | null> {
  const reply = await session.command("SENTINEL", "MASTER", name);
  if (isErrorReply(reply)) {
    if (/no such master/i.test(reply.errorReply)) return null;
    throw new Error(reply.errorReply);
  }
  const fields = fieldsOf(reply);
  const [host, port] = [fields.get("ip") ?? "", Number(fields.get("port"))];
  if (host === "" || !Number.isInteger(port)) throw new Error("it names no address");
  return { host, port, epoch: Number(fields.get("config-epoch") ?? 0) };
}

function fieldsOf(reply: Reply): ReadonlyMap<string, string> {
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ""] as const] : [])));
}

/**
 * Whose data a server holds: a record, written once by whoever comes first, that goes when the data goes.
 *
 *   {app}:deployment   `<id>:<epoch>`   the id is drawn at random; the epoch rises each time the data was lost
 *
 * A process that finds no record any more has met a store that was emptied (FLUSHALL, a restart without data): it
 * writes the record again with the next epoch, so that the others notice, too. Another id is the data of somebody else:
 * another database, another server behind the name. Used by identity.ts. Speaks GET and SET only.
 */
import { createError } from "../../base/errors.js";
import { isErrorReply, type Session } from "./connection.js";
import type { RedisTarget } from "./url.js";

/** How a record compares with what this process has known. */
export type Recognition = "same" | "emptied" | "older";

interface Entry {
  readonly id: string;
  readonly epoch: number;
}

/** The record of one App on one server, as this process knows it. */
export class Deployment {
  readonly #target: RedisTarget;
  readonly #key: string;
  readonly #draw: () => string;
  /** Null until a server has shown or taken one. */
  #known: Entry | null = null;

  constructor(target: RedisTarget, key: string, draw: () => string) {
    this.#target = target;
    this.#key = key;
    this.#draw = draw;
  }

  /**
   * Compares, and writes the record where there is none. A server that refuses to say is taken for the same.
   * Errors: MR_STORE_UNSAFE when the data is somebody else's; those of the session.
   */
  async recognise(session: Pick<Session, "command">): Promise<Recognition> {
    const found = (await this.#read(session)) ?? (await this.#write(session));
    const known = this.#known;
    if (found === null) return "same";
    if (known !== null && known.id !== found.id) throw this.#foreign(known, found);
    this.#known = found;
    if (known === null || known.epoch === found.epoch) return "same";
    return found.epoch > known.epoch ? "emptied" : "older";
  }

  async #read(session: Pick<Session, "command">): Promise<Entry | null> {
    const reply = await session.command("GET", this.#key);
    return Buffer.isBuffer(reply) ? entryOf(reply.toString()) : null;
  }

  /** Of two who write at once the first one's record stands. */
  async #write(session: Pick<Session, "command">): Promise<Entry | null> {
    const known = this.#known;
    const next = known === null ? { id: this.#draw(), epoch: 1 } : { id: known.id, epoch: known.epoch + 1 };
    const reply = await session.command("SET", this.#key, `${next.id}:${next.epoch}`, "NX", "GET");
    if (isErrorReply(reply)) return null;
    return Buffer.isBuffer(reply) ? entryOf(reply.toString()) : next;
  }

  #foreign(known: Entry, found: Entry): Error {
    const reason =
      `it holds the data of another deployment (${found.id}) than this process began with (${known.id}): another ` +
      "database or server answers at this URL, or it was emptied and begun anew by others; if that is meant, restart " +
      "this process";
    return createError("MR_STORE_UNSAFE", { store: this.#target.shown, reason });
  }
}

function entryOf(text: string): Entry | null {
  const [, id = "", epoch = ""] = /^([^:]+):(\d+)$/.exec(text) ?? [];
  return id === "" ? null : { id, epoch: Number(epoch) };
}

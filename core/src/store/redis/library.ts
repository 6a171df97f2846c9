/**
 * Gets our functions onto a server and knows how they are called there: FCALL, or EVALSHA where FUNCTION is refused.
 *
 * `greet` runs on every new connection: `hello` tells which build is there; a missing or older one is replaced, a
 * newer build of the same protocol is used as it is, another protocol has other names and is not touched.
 * Used by redis-store.ts; the texts come from library-text.ts.
 */
import { createError } from "../../base/errors.js";
import { type ErrorReply, isErrorReply, type Reply, type Session } from "./connection.js";
import { isFunctionRefused, isMissingFunction, replyFailure } from "./failure.js";
import { framePrefix } from "./frame.js";
import { BUILD, DIGEST, LUA_FUNCTIONS, type LuaFunctionName, PROTOCOL, SCHEMA } from "./library.gen.js";
import { functionName, type LibraryVariant, libraryText, scriptOf } from "./library-text.js";
import type { RedisTarget } from "./url.js";

/** How functions are called: `auto` takes scripts only when the server or its rights refuse FUNCTION. */
export type Scripting = "auto" | "functions" | "scripts";

/** The functions on one server, as this process calls them. */
export class Library {
  readonly #target: RedisTarget;
  readonly #variant: LibraryVariant;
  readonly #wanted: Scripting;
  #mode: "functions" | "scripts";
  /** Prefixes of frames by root, then function. */
  #prefixes = new Map<string, Map<LuaFunctionName, Buffer>>();

  constructor(target: RedisTarget, variant: LibraryVariant, wanted: Scripting) {
    this.#target = target;
    this.#variant = variant;
    this.#wanted = wanted;
    this.#mode = wanted === "scripts" ? "scripts" : "functions";
  }

  /** How functions are called at present. */
  get mode(): "functions" | "scripts" {
    return this.#mode;
  }

  /** The constant head of a call. */
  prefix(root: string, name: LuaFunctionName): Buffer {
    let byName = this.#prefixes.get(root);
    if (byName === undefined) {
      byName = new Map();
      this.#prefixes.set(root, byName);
    }
    let prefix = byName.get(name);
    if (prefix === undefined) {
      prefix =
        this.#mode === "functions"
          ? framePrefix("FCALL", functionName(this.#variant, name), root)
          : framePrefix("EVALSHA", scriptOf(this.#variant, name).sha1, root);
      byName.set(name, prefix);
    }
    return prefix;
  }

  /** Makes sure that our functions are there. Errors: MR_STORE_VERSION, MR_STORE_UNSAFE, and those of the session. */
  async ensure(session: Pick<Session, "command">): Promise<void> {
    if (this.#mode === "functions") {
      const hello = await session.command("FCALL", functionName(this.#variant, "hello"), "0");
      if (!isErrorReply(hello)) {
        if (this.#isGoodEnough(hello)) return;
      } else if (!isMissingFunction(hello.errorReply) && !isFunctionRefused(hello.errorReply)) {
        throw replyFailure(this.#target, { call: "hello", id: "connect" }, hello.errorReply);
      }
      if (await this.#load(session)) return;
      // Only once they are there: who may load neither goes on with functions, which somebody else may load.
      await this.#loadScripts(session);
      this.#mode = "scripts";
      this.#prefixes = new Map();
      return;
    }
    await this.#loadScripts(session);
  }

  /** Whether a reply means that our functions went away since the greeting. */
  isMissing(reply: Reply | ErrorReply): boolean {
    return isErrorReply(reply) && isMissingFunction(reply.errorReply);
  }

  #isGoodEnough(hello: Reply): boolean {
    const [protocol, build, digest, schema] = Array.isArray(hello) ? hello.map(String) : [];
    if (Number(protocol) !== PROTOCOL || Number(schema) !== SCHEMA) {
      throw createError("MR_STORE_VERSION", {
        store: this.#target.shown,
        what: "a function library of protocol and schema",
        found: `${protocol}, ${schema}`,
        expected: `${PROTOCOL}, ${SCHEMA}: run one release of Millrace on this store`,
      });
    }
    // Two texts of one build exist only while one is being written: then the one that connects last is meant.
    return digest === DIGEST || Number(build) > BUILD;
  }

  /** False when the server or our rights refuse FUNCTION. */
  async #load(session: Pick<Session, "command">): Promise<boolean> {
    const loaded = await session.command("FUNCTION", "LOAD", "REPLACE", libraryText(this.#variant));
    if (!isErrorReply(loaded)) return true;
    if (this.#wanted === "auto" && isFunctionRefused(loaded.errorReply)) return false;
    throw replyFailure(this.#target, { call: "FUNCTION LOAD", id: "connect" }, loaded.errorReply);
  }

  async #loadScripts(session: Pick<Session, "command">): Promise<void> {
    for (const { name } of LUA_FUNCTIONS) {
      const loaded = await session.command("SCRIPT", "LOAD", scriptOf(this.#variant, name).text);
      if (!isErrorReply(loaded)) continue;
      if (isFunctionRefused(loaded.errorReply) && this.#mode === "functions") {
        const reason =
          `our functions are not there, and its user may load neither functions nor scripts (${loaded.errorReply}); ` +
          "let the loader of docs/guides/redis.md load them";
        throw createError("MR_STORE_UNSAFE", { store: this.#target.shown, reason });
      }
      throw replyFailure(this.#target, { call: "SCRIPT LOAD", id: "connect" }, loaded.errorReply);
    }
  }
}

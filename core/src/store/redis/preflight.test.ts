import { describe, expect, it } from "vitest";
import { isMillraceError } from "../../base/errors.js";
import type { ErrorReply, Reply } from "./connection.js";
import { preflight } from "./preflight.js";
import { parseRedisUrl } from "./url.js";

const target = parseRedisUrl("redis://db");

interface Server {
  readonly version?: string;
  readonly config?: Readonly<Record<string, string>> | null;
  readonly aofEnabled?: string;
}

/** A server's answers to the three questions of the preflight; `config` null: we may not ask. */
function session({ version = "7.0.15", config = {}, aofEnabled = "0" }: Server) {
  return {
    command: (name: string, ...args: readonly (string | Buffer)[]): Promise<Reply | ErrorReply> => {
      if (name === "INFO" && args[0] === "server")
        return answer(Buffer.from(`# Server\r\nredis_version:${version}\r\n`));
      if (name === "INFO") return answer(Buffer.from(`aof_enabled:${aofEnabled}\r\n`));
      if (config === null) return answer({ errorReply: "NOPERM no config for you" });
      const all = { "maxmemory-policy": "noeviction", appendonly: "no", appendfsync: "everysec", ...config };
      return answer(
        Object.entries(all)
          .flat()
          .map((text) => Buffer.from(text)),
      );
    },
  };
}

function answer(reply: Reply | ErrorReply): Promise<Reply | ErrorReply> {
  return Promise.resolve(reply);
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}

describe("the preflight", () => {
  it("reads the durability level from the server's settings", async () => {
    const levelOf = (server: Server) => preflight(session(server), target, null);
    expect(await levelOf({})).toMatchObject({ level: "memory", isChecked: true });
    expect(await levelOf({ config: { appendonly: "yes" } })).toMatchObject({ level: "aof", isChecked: true });
    expect(await levelOf({ config: { appendonly: "yes", appendfsync: "always" } })).toMatchObject({
      level: "fsync",
      isChecked: true,
    });
    expect(await levelOf({ config: { appendonly: "yes", appendfsync: "no" } })).toMatchObject({
      level: "aof",
      isChecked: false,
    });
  });

  it("X9: offers fsync beyond everysec where WAITAOF can be believed", async () => {
    const bestOf = async (version: string) =>
      (await preflight(session({ version, config: { appendonly: "yes" } }), target, null)).best;
    expect(await Promise.all(["7.0.15", "7.2.9", "7.4.2", "7.4.3", "8.0.0"].map(bestOf))).toEqual([
      ...["aof", "aof", "aof", "fsync", "fsync"],
    ]);
    expect((await preflight(session({ version: "8.0.0" }), target, null)).best).toBe("memory");
  });

  it("declares, and does not check, what it may not read", async () => {
    expect(await preflight(session({ config: null, aofEnabled: "1" }), target, null)).toMatchObject({
      level: "aof",
      isChecked: false,
    });
    expect(await preflight(session({ config: null, aofEnabled: "1" }), target, "fsync")).toMatchObject({
      level: "fsync",
      isChecked: false,
    });
  });

  it("refuses a server that evicts, and says how to cure it", async () => {
    const error = await failureOf(preflight(session({ config: { "maxmemory-policy": "allkeys-lru" } }), target, null));
    expect(isMillraceError(error, "MR_STORE_UNSAFE")).toBe(true);
    expect(String(error)).toContain("CONFIG SET maxmemory-policy noeviction");
  });

  it("refuses a server that is too old", async () => {
    const error = await failureOf(preflight(session({ version: "6.2.14" }), target, null));
    expect(isMillraceError(error, "MR_STORE_UNSAFE")).toBe(true);
  });

  it("refuses a level that was asked for by name and is not reached", async () => {
    const error = await failureOf(preflight(session({ config: { appendonly: "yes" } }), target, "fsync"));
    expect(isMillraceError(error, "MR_DURABILITY_UNAVAILABLE")).toBe(true);
    expect(await preflight(session({ config: { appendonly: "yes" } }), target, "aof")).toMatchObject({ level: "aof" });
  });
});

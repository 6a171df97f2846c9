import { describe, expect, it } from "vitest";
import { isMillraceError } from "../../base/errors.js";
import { storeUrlOf } from "./connection.js";
import { appIdOf } from "./room.js";

describe("X27: a BullMQ connection", () => {
  it.each([
    ["nothing", undefined, "redis://127.0.0.1:6379/0"],
    ["an empty object", {}, "redis://127.0.0.1:6379/0"],
    ["host and port", { host: "db", port: 7000 }, "redis://db:7000/0"],
    ["a port that is a text", { host: "db", port: "7000" }, "redis://db:7000/0"],
    ["user, password and db", { host: "db", username: "u", password: "p@/:", db: 3 }, "redis://u:p%40%2F%3A@db:6379/3"],
    ["a password alone", { host: "db", password: "p" }, "redis://:p@db:6379/0"],
    ["TLS", { host: "db", tls: {} }, "rediss://db:6379/0"],
    ["no TLS", { host: "db", tls: undefined }, "redis://db:6379/0"],
    ["an IPv6 address", { host: "::1" }, "redis://[::1]:6379/0"],
    ["a socket", { path: "/run/redis.sock", db: 1 }, "redis+unix:///run/redis.sock?db=1"],
    ["a URL", "redis://db:7000/2", "redis://db:7000/2"],
    ["a URL of Sentinels", "redis-sentinel://a:1,b:2/main", "redis-sentinel://a:1,b:2/main"],
    ["a URL among options", { url: "rediss://db:7000" }, "rediss://db:7000"],
    [
      "what BullMQ asks for beside",
      { host: "db", maxRetriesPerRequest: null, enableReadyCheck: false, family: 4 },
      "redis://db:6379/0",
    ],
    [
      "an ioredis instance",
      {
        status: "ready",
        options: { host: "db", port: 1, keyPrefix: "", sentinels: null, role: "master", whatever: 1 },
      },
      "redis://db:1/0",
    ],
  ])("is read from %s", (_, connection, url) => {
    expect(storeUrlOf({ connection })).toBe(url);
  });

  it("gives way to `store`, and the two exclude each other", () => {
    expect(storeUrlOf({ store: "memory:" })).toBe("memory:");
    expect(storeUrlOf({ store: "embedded:jobs" })).toBe("embedded:jobs");
    expect(() => storeUrlOf({ store: "memory:", connection: {} })).toThrow(/not both/);
    expect(() => storeUrlOf({ store: "sqlite:x" })).toThrow(/store/);
  });

  it("is refused where a URL cannot say it", () => {
    const refused = [
      { sentinels: [{}], name: "m" },
      { host: "db", keyPrefix: "x" },
      { host: "db", tls: { ca: "x" } },
      { host: "db", natMap: {} },
      { host: "db", colour: "red" },
      { isCluster: true },
      { status: "ready", options: { keyPrefix: "x" } },
    ];
    for (const connection of refused) {
      let caught: unknown;
      try {
        storeUrlOf({ connection });
      } catch (error) {
        caught = error;
      }
      expect(isMillraceError(caught, "MR_COMPAT_UNSUPPORTED"), JSON.stringify(connection)).toBe(true);
    }
  });
});

describe("X27: the App of a queue", () => {
  it("is another one for another prefix or name", () => {
    const pairs = [
      ["bull", "a.b"],
      ["bull.a", "b"],
      ["bull", "a_2eb"],
      ["bull", "a b"],
      ["{bull}", "a"],
      ["bull", "ä"],
    ] as const;
    const ids = pairs.map(([prefix, name]) => appIdOf(prefix, name));
    expect(new Set(ids).size).toBe(pairs.length);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
    expect(appIdOf("bull", "emails")).toBe("bq.bull.emails");
  });
});

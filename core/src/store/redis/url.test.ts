import { describe, expect, it } from "vitest";
import { isMillraceError } from "../../base/errors.js";
import { maskSecrets, parseRedisAddress, parseRedisUrl, placeOf } from "./url.js";

describe("a Redis URL", () => {
  it("names host, port, database and who we are", () => {
    expect(parseRedisUrl("redis://ann:p%40ss@db.example:7000/3")).toEqual({
      host: "db.example",
      port: 7000,
      path: null,
      isTls: false,
      certificates: { ca: null, cert: null, key: null, servername: null },
      username: "ann",
      password: "p@ss",
      db: 3,
      shown: "redis://ann:***@db.example:7000/3",
    });
  });

  it("may leave out all but the host", () => {
    expect(parseRedisUrl("rediss://db")).toMatchObject({ host: "db", port: 6379, isTls: true, db: 0, password: null });
    expect(parseRedisUrl("redis://[::1]:7000").host).toBe("::1");
  });

  it("may be the path of a unix socket", () => {
    expect(parseRedisUrl("redis+unix:///run/redis.sock?db=2")).toMatchObject({ path: "/run/redis.sock", db: 2 });
    expect(parseRedisUrl("redis+unix:/run/redis.sock").path).toBe("/run/redis.sock");
    expect(parseRedisUrl("unix:///run/redis.sock")).toMatchObject({ path: "/run/redis.sock", password: null });
    expect(parseRedisUrl("redis+unix://:pw@/run/redis.sock")).toMatchObject({
      path: "/run/redis.sock",
      password: "pw",
      shown: "redis+unix://:***@/run/redis.sock",
    });
  });

  it("is refused with MR_STORE_URL, and its message shows no secret", () => {
    for (const bad of [
      "nonsense",
      "http://u:hush@x",
      "redis://u:hush@h/one",
      "redis+unix:",
      "redis://u:hush@h:99999",
    ]) {
      let caught: unknown;
      try {
        parseRedisUrl(bad);
      } catch (error) {
        caught = error;
      }
      expect(isMillraceError(caught, "MR_STORE_URL"), bad).toBe(true);
      expect(String(caught)).not.toContain("hush");
    }
  });

  it("masks the password in texts of others", () => {
    const target = parseRedisUrl("redis://:hush@h");
    expect(maskSecrets(target, "AUTH hush failed")).toBe("AUTH *** failed");
  });
});

describe("the address of a store with seeds", () => {
  it("names Sentinels, the primary, and who we are to both", () => {
    const url = "redis-sentinel://ann:p%40@s1,s2:7000,[::1]:7001/mill/2?sentinelUser=eve&sentinelPassword=q";
    const { kind, target, seeds, primaryName } = parseRedisAddress(url);
    expect({ kind, primaryName }).toEqual({ kind: "sentinel", primaryName: "mill" });
    expect(target).toMatchObject({ username: "ann", password: "p@", db: 2, isTls: false });
    expect(target.shown).toBe("redis-sentinel://ann:***@s1:26379,s2:7000,[::1]:7001/mill/2");
    expect(seeds.map(placeOf)).toEqual(["s1:26379", "s2:7000", "[::1]:7001"]);
    expect(seeds[0]).toMatchObject({ username: "eve", password: "q", db: 0 });
  });

  it("names servers of a Cluster, over TLS with files", () => {
    const { kind, seeds } = parseRedisAddress("rediss-cluster://:pw@a,b:7000?ca=/etc/ca.pem&servername=mill");
    expect(kind).toBe("cluster");
    expect(seeds.map(placeOf)).toEqual(["a:6379", "b:7000"]);
    expect(seeds[1]).toMatchObject({
      isTls: true,
      password: "pw",
      certificates: { ca: "/etc/ca.pem", servername: "mill" },
    });
  });

  it("is one server for every other URL", () => {
    expect(parseRedisAddress("redis://db")).toMatchObject({ kind: "server", seeds: [], target: { host: "db" } });
  });

  it("is refused with MR_STORE_URL, and its message shows no secret", () => {
    const bads = [
      "redis-sentinel://u:hush@h",
      "redis-sentinel://u:hush@/mill",
      "redis-sentinel://u:hush@h,,i/mill",
      "redis-sentinel://u:hush@h/mill/one?sentinelPassword=hush",
      "redis-cluster://u:hush@h/1",
    ];
    for (const bad of bads) {
      let caught: unknown;
      try {
        parseRedisAddress(bad);
      } catch (error) {
        caught = error;
      }
      expect(isMillraceError(caught, "MR_STORE_URL"), bad).toBe(true);
      expect(String(caught)).not.toContain("hush");
    }
  });
});

import { describe, expect, it } from "vitest";
import { isMillraceError } from "../../base/errors.js";
import { maskSecrets, parseRedisUrl } from "./url.js";

describe("a Redis URL", () => {
  it("names host, port, database and who we are", () => {
    expect(parseRedisUrl("redis://ann:p%40ss@db.example:7000/3")).toEqual({
      host: "db.example",
      port: 7000,
      path: null,
      isTls: false,
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

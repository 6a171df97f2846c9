/** The Redis store over TLS: a server with a certificate of an authority made for this test. */
import { isMillraceError } from "@millrace/core";
import { RedisStore } from "@millrace/core/internal";
import { freePort } from "@millrace/scripts/free-port";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bytes } from "../helper/bytes.js";
import { Authority, type Certificate, hasOpenssl } from "../helper/certificates.js";
import { within } from "../helper/wait.js";

const isPossible = hasOpenssl();
if (!isPossible) console.warn("SKIPPED: there is no openssl program to make certificates with");

describe.skipIf(!isPossible)("a store over TLS", () => {
  let authority: Authority;
  const open: RedisStore[] = [];
  const servers: RedisServer[] = [];

  beforeAll(() => {
    authority = new Authority();
  });
  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
    for (const server of servers.splice(0)) await server.stop();
  });
  afterAll(() => authority[Symbol.dispose]());

  /** A server that takes TLS alone on the answered port. */
  async function serve({ cert, key }: Certificate, ...more: string[]): Promise<number> {
    const port = await freePort();
    const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority.ca];
    const args = ["--tls-port", String(port), ...files, "--tls-auth-clients", "no", ...more];
    servers.push(await startRedis({ args }));
    return port;
  }

  function make(url: string): RedisStore {
    const store = new RedisStore({ url, app: "tls", openTimeoutMs: 5_000 });
    open.push(store);
    return store;
  }

  function failureOf(url: string): Promise<string> {
    return within(
      make(url)
        .open()
        .then(
          () => "resolved",
          (error: unknown) => (isMillraceError(error) ? `${error.code} ${error.message}` : String(error)),
        ),
      "an answer",
    );
  }

  it("X1: works when the authority of its certificate is named in the URL", async () => {
    const port = await serve(authority.sign("DNS:localhost,IP:127.0.0.1"));
    for (const host of ["localhost", "127.0.0.1"]) {
      const store = make(`rediss://${host}:${port}/0?ca=${encodeURIComponent(authority.ca)}`);
      await within(store.open(), "the opening");
      await store.openSegment("s");
      const laneName = `${host === "localhost" ? "m3k9" : "m3ka"}.01`;
      const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
      expect(await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] })).toMatchObject({
        answer: "ok",
      });
    }
  });

  it("X1: refuses another authority, another name and an expired certificate at once, each with its reason", async () => {
    using other = new Authority();
    const ca = `?ca=${encodeURIComponent(authority.ca)}`;
    const good = await serve(authority.sign("DNS:localhost"));
    const stranger = await failureOf(`rediss://localhost:${good}/0?ca=${encodeURIComponent(other.ca)}`);
    expect(stranger).toMatch(/^MR_STORE_UNSAFE .*certificate of localhost:\d+ is not trusted/);
    expect(await failureOf(`rediss://localhost:${good}`)).toMatch(/^MR_STORE_UNSAFE .*is not trusted/);
    const named = await serve(authority.sign("DNS:elsewhere"));
    expect(await failureOf(`rediss://localhost:${named}/0${ca}`)).toMatch(
      /^MR_STORE_UNSAFE .*is not trusted.*elsewhere/,
    );
    const store = make(`rediss://localhost:${named}/0${ca}&servername=elsewhere`);
    await within(store.open(), "the opening under the certificate's own name");
    const expired = await serve(authority.sign("DNS:localhost", -1));
    expect(await failureOf(`rediss://localhost:${expired}/0${ca}`)).toMatch(
      /^MR_STORE_UNSAFE .*is not trusted.*expired/,
    );
  });

  it("X1: shows its own certificate where the server asks for one", async () => {
    const port = await serve(authority.sign("DNS:localhost"), "--tls-auth-clients", "yes");
    const { cert, key } = authority.sign("DNS:us");
    const files = new URLSearchParams({ ca: authority.ca, cert, key }).toString();
    await within(make(`rediss://localhost:${port}/0?${files}`).open(), "the opening");
    const without = `rediss://localhost:${port}/0?ca=${encodeURIComponent(authority.ca)}`;
    const store = new RedisStore({ url: without, app: "tls", openTimeoutMs: 1_000 });
    open.push(store);
    await expect(store.open()).rejects.toMatchObject({ code: "MR_STORE_UNAVAILABLE" });
  });

  it("names a file that cannot be read", async () => {
    expect(await failureOf("rediss://localhost:1/0?ca=/nowhere/ca.pem")).toMatch(/\/nowhere\/ca\.pem/);
  });
});

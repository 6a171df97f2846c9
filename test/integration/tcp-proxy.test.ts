/** The proxy that plays of chaos hurt connections with: a fault that is lifted must be over. */
import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { startProxy } from "../helper/tcp-proxy.js";

describe("the proxy", () => {
  it("holds every chunk back for the delay, and not for the delays of those before it", async () => {
    const server = createServer((socket) => socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    await using proxy = await startProxy({ port: address.port });
    const client = createConnection({ host: "127.0.0.1", port: proxy.port, noDelay: true });
    client.on("error", () => undefined); // the end of the proxy resets it
    await once(client, "connect");
    let echoed = "";
    client.on("data", (chunk: Buffer) => {
      echoed += chunk.toString();
    });
    proxy.hurt("up", { delayMs: 200 });
    const sinceMs = performance.now();
    const words = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i));
    for (const word of words) {
      client.write(word);
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (echoed.length < words.length) await once(client, "data");
    const tookMs = performance.now() - sinceMs;
    expect(echoed).toBe(words.join(""));
    expect(tookMs).toBeGreaterThan(190);
    expectInTime(tookMs, 2_000);
    client.destroy();
    server.close();
  });
});

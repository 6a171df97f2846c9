/** A loopback port nobody listens on at this moment; tests and `redis-server.ts` start servers there. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Finds one; another process may take it before it is used. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}

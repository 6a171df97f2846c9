/**
 * A TCP proxy that delays every answer: a network with a longer round trip, between this machine and itself.
 *
 * Requests pass at once, answers `delayMs` later, so the round trip grows by `delayMs`; order and bandwidth stay.
 * Node's timers are too coarse for one millisecond, so while answers wait the loop sleeps in slices of 0.1 ms:
 * run it in a process that has nothing else to do.
 */
import { once } from "node:events";
import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";

const sliceMs = 0.1;
const sleepCell = new Int32Array(new SharedArrayBuffer(4));

interface Delayed {
  readonly dueMs: number;
  readonly chunk: Buffer;
  readonly target: Socket;
}

/** A listening proxy. `url` is what clients connect to. */
export class DelayProxy implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(url: string, server: Server, sockets: Set<Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Listens on a free loopback port in front of `targetPort`. */
  static async start(targetPort: number, delayMs: number): Promise<DelayProxy> {
    const sockets = new Set<Socket>();
    const line = new DelayLine(delayMs);
    const server = createServer((client) => join(client, targetPort, line, sockets));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the delay proxy has no port");
    return new DelayProxy(`redis://127.0.0.1:${address.port}`, server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Chunks in order of arrival, each let go when it is due; one delay for all, so the first is always due first. */
class DelayLine {
  readonly #delayMs: number;
  readonly #waiting: Delayed[] = [];
  #isTicking = false;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  push(chunk: Buffer, target: Socket): void {
    this.#waiting.push({ dueMs: performance.now() + this.#delayMs, chunk, target });
    if (this.#isTicking) return;
    this.#isTicking = true;
    setImmediate(() => this.#tick());
  }

  #tick(): void {
    const nowMs = performance.now();
    let passed = 0;
    for (const { dueMs, chunk, target } of this.#waiting) {
      if (dueMs > nowMs) break;
      if (!target.destroyed) target.write(chunk);
      passed++;
    }
    this.#waiting.splice(0, passed);
    const next = this.#waiting[0];
    this.#isTicking = next !== undefined;
    if (next === undefined) return;
    const leftMs = next.dueMs - performance.now();
    if (leftMs > 0) Atomics.wait(sleepCell, 0, 0, Math.min(leftMs, sliceMs));
    setImmediate(() => this.#tick());
  }
}

function join(client: Socket, targetPort: number, line: DelayLine, sockets: Set<Socket>): void {
  const target = connectSocket(targetPort, "127.0.0.1");
  for (const [one, other] of [
    [client, target],
    [target, client],
  ] as const) {
    one.setNoDelay(true);
    sockets.add(one);
    one.on("error", () => other.destroy()); // A cut on one side is a cut on the other; the subject sees it and says so.
    one.on("close", () => {
      sockets.delete(one);
      other.destroy();
    });
  }
  client.on("data", (chunk) => target.write(chunk));
  target.on("data", (chunk) => line.push(chunk, client));
}

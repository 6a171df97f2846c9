/**
 * A TCP proxy that hurts: it cuts a connection after so many bytes, swallows, delays or slices what passes.
 *
 * Stands between a store and its server. A fault is set for each direction: `up` is client → server, `down` is
 * server → client. Faults hold for new and for open connections from the moment they are set.
 */
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** A way through the proxy. */
export type Direction = "up" | "down";

/** What happens to bytes of one direction. Absent keys: they pass unharmed. */
export interface Fault {
  /** Reset both sides once this many bytes have passed (0: at the first byte, which does not pass). */
  readonly cutAfterBytes?: number;
  /** Cut again and again until the fault is lifted; else `cutAfterBytes` fires once. */
  readonly isRepeating?: boolean;
  /** Of `up`: pass on what has this text, and reset at the first byte of what comes back; so many times. */
  readonly cutAnswersTo?: { readonly text: string; readonly times: number };
  /** Swallow everything; the sockets stay open. */
  readonly isBlackhole?: boolean;
  /** Hold every chunk back for so long. Order is kept. */
  readonly delayMs?: number;
  /** Pass on in pieces of at most so many bytes. */
  readonly sliceBytes?: number;
}

/** A running proxy. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** How many connections were reset by `cutAfterBytes` or `cutAll`: a fault that did not bite proves nothing. */
  readonly cuts: number;
  /** Connections open now. */
  readonly open: number;
  /** Bytes passed on so far, by direction. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** Sets (or with null: lifts) the fault of one direction. */
  hurt(direction: Direction, fault: Fault | null): void;
  /** Resolves when the next reset by `cutAfterBytes` has happened. */
  nextCut(): Promise<void>;
  /** Resets every open connection now. */
  cutAll(): void;
  /** Refuses new connections (or takes them again). */
  refuse(isRefusing: boolean): void;
  close(): Promise<void>;
}

/** Where the proxy leads to. */
export interface ProxyTarget {
  readonly host?: string;
  readonly port: number;
}

/** Starts a proxy on a free loopback port. */
export async function startProxy(target: ProxyTarget): Promise<TcpProxy> {
  const server = createServer({ noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new Proxying(server, target);
}

/** A fault being applied: `left` counts down to the cut, null when none is set; `answersLeft` the answers to cut. */
interface Hurt {
  readonly fault: Fault;
  left: number | null;
  answersLeft: number;
}

/** One client and its server side. */
interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Its next answer is cut off. */
  isDoomed: boolean;
}

class Proxying implements TcpProxy {
  readonly port: number;
  cuts = 0;
  readonly passed = { up: 0, down: 0 };
  readonly #server: Server;
  readonly #target: ProxyTarget;
  readonly #pairs = new Set<Pair>();
  readonly #hurts: Record<Direction, Hurt | null> = { up: null, down: null };
  #isRefusing = false;
  #cutWaiters: (() => void)[] = [];

  constructor(server: Server, target: ProxyTarget) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    this.port = address.port;
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#accept(client));
  }

  get open(): number {
    return this.#pairs.size;
  }

  hurt(direction: Direction, fault: Fault | null): void {
    this.#hurts[direction] =
      fault === null
        ? null
        : {
            fault,
            left: fault.cutAfterBytes ?? null,
            answersLeft: fault.cutAnswersTo?.times ?? 0,
          };
  }

  nextCut(): Promise<void> {
    return new Promise((resolve) => this.#cutWaiters.push(resolve));
  }

  cutAll(): void {
    for (const pair of this.#pairs) this.#cut(pair);
  }

  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) this.#reset(pair);
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(client: Socket): void {
    client.on("error", ignore);
    if (this.#isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = createConnection({
      host: this.#target.host ?? "127.0.0.1",
      port: this.#target.port,
      noDelay: true,
    });
    upstream.on("error", ignore);
    const pair = { client, upstream, isDoomed: false };
    this.#pairs.add(pair);
    this.#carry(pair, "up", client, upstream);
    this.#carry(pair, "down", upstream, client);
    for (const socket of [client, upstream]) socket.once("close", () => this.#reset(pair));
  }

  /**
   * Chunks wait in a chain of promises, so that a delay never changes their order; each from when it came, so that many
   * of them are all late by the same time, and none any more once the fault is lifted for as long.
   */
  #carry(pair: Pair, direction: Direction, from: Socket, to: Socket): void {
    let turn = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      const delayMs = this.#hurts[direction]?.fault.delayMs ?? 0;
      if (delayMs === 0 && turn === idle) {
        this.#pass(pair, direction, to, chunk);
        return;
      }
      const dueMs = performance.now() + delayMs;
      turn = turn.then(() => pause(dueMs - performance.now())).then(() => this.#pass(pair, direction, to, chunk));
    });
    turn = idle;
  }

  #pass(pair: Pair, direction: Direction, to: Socket, chunk: Buffer): void {
    const hurt = this.#hurts[direction];
    if (hurt?.fault.isBlackhole === true || to.destroyed) return;
    if (direction === "down" && pair.isDoomed) {
      this.#cut(pair);
      return;
    }
    const { cutAnswersTo } = hurt?.fault ?? {};
    if (hurt !== null && cutAnswersTo !== undefined && hurt.answersLeft > 0 && chunk.includes(cutAnswersTo.text)) {
      hurt.answersLeft--;
      pair.isDoomed = true;
    }
    let rest = chunk;
    if (hurt !== null && hurt.left !== null) {
      if (rest.length > hurt.left || hurt.left === 0) {
        rest = rest.subarray(0, hurt.left);
        if (hurt.fault.isRepeating === true) hurt.left = hurt.fault.cutAfterBytes ?? null;
        else this.#hurts[direction] = null;
        this.#write(direction, to, rest, hurt.fault.sliceBytes);
        this.#cut(pair);
        return;
      }
      hurt.left -= rest.length;
    }
    this.#write(direction, to, rest, hurt?.fault.sliceBytes);
  }

  #write(direction: Direction, to: Socket, chunk: Buffer, sliceBytes = chunk.length): void {
    for (let at = 0; at < chunk.length; at += sliceBytes) to.write(chunk.subarray(at, at + sliceBytes));
    this.passed[direction] += chunk.length;
  }

  #cut(pair: Pair): void {
    this.cuts += 1;
    this.#reset(pair);
    const waiters = this.#cutWaiters;
    this.#cutWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #reset(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.upstream]) if (!socket.destroyed) socket.resetAndDestroy();
  }
}

/** Stands for "nothing waits": compared by identity. */
const idle = Promise.resolve();

function ignore(): void {
  // A reset socket reports ECONNRESET or EPIPE: that is the fault we made.
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}

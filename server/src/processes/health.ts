/**
 * The Foreman's small HTTP server: is it alive, is it ready, its numbers. For probes and Prometheus; no other use, so
 * that it needs no tokens: it listens on the loopback unless told otherwise, takes GET only, and tells no payloads.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createServerError } from "../errors.js";

/** What is ready and what is not. */
export interface Readiness {
  readonly isReady: boolean;
  /** By part ("store", "workers"): how it is, for people. */
  readonly parts: Readonly<Record<string, unknown>>;
}

/** What the server asks. */
export interface HealthOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A listening server. */
export interface HealthServer {
  readonly url: string;
  close(): Promise<void>;
}

/** An idle or slow caller is cut off after so long. Milliseconds. */
const CALLER_MS = 10_000;

/** Listens. Errors: MR_PORT_TAKEN. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const { host, port } = options;
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, 500, JSON.stringify({ error: String(error) }));
      else response.destroy();
    });
  });
  server.requestTimeout = CALLER_MS;
  server.headersTimeout = CALLER_MS;
  server.keepAliveTimeout = CALLER_MS;
  await listen(server, host, port);
  const bound = server.address() as AddressInfo; // a TCP server that listens has one
  const shownHost = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return {
    url: `http://${shownHost}:${bound.port}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((listening, refused) => {
    server.once("error", (error) => refused(createServerError("MR_PORT_TAKEN", { host, port, reason: error.message })));
    server.listen({ host, port }, listening);
  });
}

async function answer(options: HealthOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return send(response, 405, JSON.stringify({ error: "GET only" }));
  }
  const path = (request.url ?? "").split("?")[0];
  switch (path) {
    case "/health/live":
      return send(response, 200, JSON.stringify({ alive: true }));
    case "/health/ready": {
      const { isReady, parts } = await options.readiness();
      return send(response, isReady ? 200 : 503, JSON.stringify({ ready: isReady, ...parts }));
    }
    case "/metrics": {
      const { contentType, text } = await options.metrics();
      return send(response, 200, text, contentType);
    }
    default:
      return send(response, 404, JSON.stringify({ error: "expected /health/live, /health/ready or /metrics" }));
  }
}

function send(response: ServerResponse, status: number, body: string, contentType = "application/json"): void {
  const head = { "Content-Type": contentType, "Content-Length": Buffer.byteLength(body), "Cache-Control": "no-store" };
  response.writeHead(status, head);
  response.end(response.req.method === "HEAD" ? undefined : body);
}

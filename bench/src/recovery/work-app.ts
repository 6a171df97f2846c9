/**
 * The App whose Foremen are killed: a module for `millrace foreman`. Its Step says when it begins and when it ends, at
 * once and to another process, so that what it said survives it.
 */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { App } from "@millrace/core";
import { nodeVariable, type Report, reportPortVariable } from "./reports.js";

/** What an Operation is told. */
export interface Work {
  readonly n: number;
  readonly ms: number;
}

const socket = connect(Number(process.env[reportPortVariable]), "127.0.0.1");
socket.setNoDelay(true);
socket.unref();
socket.on("error", () => undefined); // the bench is gone, and ends us

/** The App; `millrace foreman` finds it by this name. */
export const app = new App({ id: "bench" });

app.step("work", { timeout: "1m", retries: 0 }, async ({ n, ms }: Work, context) => {
  report("begin", n, context.attempt);
  await sleep(ms);
  report("end", n, context.attempt);
  return n;
});

function report(what: Report["what"], n: number, attempt: number): void {
  const node = process.env[nodeVariable] ?? "";
  const said: Report = { what, n, attempt, pid: process.pid, node, ns: Number(process.hrtime.bigint()) };
  socket.write(`${JSON.stringify(said)}\n`);
}

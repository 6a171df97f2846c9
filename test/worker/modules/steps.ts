/** Steps of many tempers, for Worker threads and processes under test. */
import { setTimeout as sleep } from "node:timers/promises";
import { App } from "@millrace/core";

export const app = new App({ id: "test", defaults: { retries: 0, killGrace: "50ms" } });

app.step("echo", async (value: unknown) => value);
app.step("sync", { kind: "async" }, (value: unknown) => value);
app.step("sleep", async (ms: number) => {
  await sleep(ms);
  return ms;
});
app.step("fail", async (message: string) => {
  throw new TypeError(message);
});
app.step("falls-back", { onError: (_error, input) => input }, async (_input: unknown) => {
  await sleep(100);
  throw new Error("for good");
});
app.step("again", { retries: 3, retryDelay: "7ms" }, async () => {
  throw new Error("again");
});
app.step("length", async (bytes: Uint8Array) => bytes.length);
app.step("bytes", async (length: number) => new Uint8Array(length).fill(7));
app.step("late-bytes", async ([ms, length]: [number, number]) => {
  await sleep(ms);
  return new Uint8Array(length);
});
app.step("context", async (_input: unknown, context) => {
  const { operationId, attempt, fence, idempotencyKey } = context;
  return { operationId, attempt, fence, idempotencyKey };
});
app.step("notes", async (count: number, context) => {
  for (let i = 1; i <= count; i++) context.progress(i, count, "x".repeat(100));
  return count;
});
app.step("log", async (_input: unknown, context) => {
  context.log.info({ answer: 42, error: new Error("shown"), nested: { fn: () => 1 } }, "hello");
});
app.step("until-aborted", async (_input: unknown, context) => {
  await new Promise((_resolve, reject) => {
    context.abort.addEventListener("abort", () => reject(context.abort.reason as Error));
  });
});
app.step("deaf", async (ms: number) => {
  await sleep(ms);
});
app.step("spin", { kind: "async" }, (ms: number) => {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
  return ms;
});
app.step("throw-later", async () => {
  setTimeout(() => {
    throw new RangeError("thrown by a timer");
  }, 1);
  await sleep(10_000);
});
app.step("reject-later", async () => {
  void Promise.reject(new RangeError("rejected beside"));
  await sleep(10_000);
});
app.step("exit", async () => process.exit(3));
app.step("open-timer", async () => {
  setInterval(() => undefined, 60_000);
});
app.step("cpu", { executor: "cpu" }, (value: unknown) => value);
app.step("forked", { executor: "process" }, async (value: unknown) => ({ value, pid: process.pid }));
app.step("checked", { backoff: () => 5, retryOn: () => true, timeout: "none" }, async () => undefined);

/** The App that the server's tests run: a module that only defines. */
import { writeFileSync } from "node:fs";
import { App } from "@millrace/core";

export const app = new App({ id: process.env.TEST_APP ?? "server-test" });

app.step("greet", async ({ name }, ctx) => {
  ctx.log.info({ name }, "greeting");
  return `Hello, ${name}`;
});

app.step("count", { kind: "blocking" }, ({ upTo }) => {
  let sum = 0;
  for (let n = 1; n <= upTo; n++) sum += n;
  return sum;
});

app.step("bound", { order: () => "one" }, async () => undefined);

// Says in a file that it runs, then waits for as long as it is told, or for the signal.
app.step("hold", { retries: 0 }, async ({ file, ms }, ctx) => {
  writeFileSync(file, JSON.stringify({ attempt: ctx.attempt, pid: process.pid }));
  await new Promise((done) => {
    setTimeout(done, ms);
    ctx.abort.addEventListener("abort", () => done(undefined));
  });
  ctx.abort.throwIfAborted();
  return ctx.attempt;
});

app.step("fail", { retries: 0 }, async () => {
  throw new Error("as it was told to");
});

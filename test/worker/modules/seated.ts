/** Steps that use their App: inside a Worker all of it goes to the Foreman. */
import { App, type Handle } from "@millrace/core";

export const app = new App({ id: "test", defaults: { retries: 0 } });
const target = app.step("target", { queue: "targets" }, async (n: number) => n);
const other = new App({ id: "other" });

app.step("enqueue", async (n: number) => (await target.enqueue(n)).id);
app.step("enqueue-full", async (n: number) => {
  const first = await app.enqueue(target, n, { priority: 5, queue: "elsewhere", tags: { a: "b" } });
  const second = await app.delay(target, n, "1m");
  const third = await app.at(target, n, new Date(86_400_000));
  return [first.id, second.id, third.id];
});
app.step("enqueue-many", async (count: number) => {
  const { handles } = await app.enqueueMany(
    target,
    Array.from({ length: count }, (_, i) => i),
  );
  return handles.map((handle) => (handle instanceof Error ? handle.message : handle.id));
});
app.step("run", async (n: number) => await app.run(target, n));
app.step("gather", async (count: number) => {
  const handles = await Promise.all(Array.from({ length: count }, (_, i) => target.enqueue(i)));
  return (await app.gather(handles)).reduce((sum, n) => sum + n, 0);
});
app.step("wait", async (id: string) => await app.handle(id).wait({ timeout: "50ms" }));
app.step("result", async (id: string) => await app.handle(id).result());
app.step("status", async (id: string) => (await app.handle(id).status()).state);
app.step("cancel", async (id: string) => await app.handle(id).cancel({ reason: "enough" }));
app.step("receipt", async (n: number) => (await target.enqueue(n)).receipt);
app.step("secured", async (n: number) => (await target.enqueue(n, { durability: { replicas: 2 } })).receipt);
app.step("progress", async (id: string) => {
  const notes: unknown[] = [];
  for await (const note of app.handle(id).progress()) notes.push(note);
  return notes;
});
app.step("queue", async () => {
  const queue = app.queue("targets");
  await queue.pause();
  await queue.resume();
  const dead: string[] = [];
  for await (const view of queue.dead()) dead.push(view.id);
  return { counts: await queue.counts(), dead, requeued: await queue.requeue(dead) };
});
app.step("about", async () => {
  const { running, enqueued } = app.metrics();
  return { running, enqueued, state: app.state, id: app.id };
});
app.step("refused", async (what: string) => {
  const calls: Record<string, () => Promise<unknown>> = {
    stop: () => app.stop(),
    close: () => app.close(),
    "other.start": () => other.start(),
  };
  await calls[what]?.();
});
app.step("leave-open", async (id: string) => {
  const handle: Handle = app.handle(id);
  void handle.wait().catch(() => undefined);
  return "left";
});

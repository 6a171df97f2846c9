/**
 * What must and must not compile of Steps and Apps. Judged by `tsc -b`; nothing here is ever run.
 *
 * Each `@ts-expect-error` fails the build when the line below it begins to compile.
 */
import { App, type Handle, type Step } from "@millrace/core";

/** Compiles only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const app = new App({ store: "memory:" });

/** Inputs and results are inferred from the function. */
export async function inference(): Promise<void> {
  const double = app.step("double", async (input: { n: number }) => input.n * 2);
  same<typeof double, Step<{ n: number }, number>>(true);

  const handle = await double.enqueue({ n: 21 });
  same<typeof handle, Handle<number>>(true);
  const result = await handle.result({ timeout: "5s" });
  same<typeof result, number>(true);
  const ran = await app.run(double, { n: 2 });
  same<typeof ran, number>(true);

  // @ts-expect-error a number is no text
  const text: string = await handle.result();
  void text;
}

/** A wrong payload is refused wherever one is given. */
export async function payloads(): Promise<void> {
  const double = app.task("double", { retries: 1 }, async (input: { n: number }, ctx) => input.n * ctx.attempt);

  // @ts-expect-error n is a number
  await double.enqueue({ n: "21" });
  // @ts-expect-error n is missing
  await double.enqueue({});
  // @ts-expect-error m is not known
  await double.enqueue({ n: 1, m: 2 });
  // @ts-expect-error the payload is missing
  await double.enqueue();
  // @ts-expect-error n is a number
  await app.run(double, { n: "21" });
  // @ts-expect-error n is a number, in each of them
  await app.enqueueMany(double, [{ n: 1 }, { n: "2" }]);

  await app.enqueue("double", { n: 1 }); // by name nothing is known: the schema judges
  await app.enqueueMany(double, new Set([1, 2, 3].map((n) => ({ n }))));
}

/** Options: unknown and misspelt ones, and values of the wrong kind. */
export async function options(): Promise<void> {
  const noop = app.step("noop", { retries: 0, timeout: "none", retain: { completed: "1h" } }, async () => {});

  // @ts-expect-error misspelt
  app.step("a", { retires: 3 }, async () => {});
  // @ts-expect-error unknown
  app.step("b", { colour: "red" }, async () => {});
  // @ts-expect-error a duration has a unit
  app.step("c", { timeout: "5 minutes" }, async () => {});
  // @ts-expect-error misspelt, one table below
  app.step("d", { retain: { complete: "1d" } }, async () => {});
  app.step("limited", { concurrency: [2, { limit: 1, key: "host", onLimit: "skip" }] }, async () => {});
  // @ts-expect-error no such mode
  app.step("d2", { concurrency: { limit: 1, onLimit: "drop" } }, async () => {});
  // @ts-expect-error a rate has none
  app.step("d3", { rate: { limit: 1, per: "1s", onLimit: "skip" } }, async () => {});
  // @ts-expect-error a Step needs its work
  app.step("e", { retries: 3 });

  await noop.enqueue(undefined, { delay: "5s", priority: 10, tags: { team: "a" } });
  // @ts-expect-error misspelt
  await noop.enqueue(undefined, { dealy: "5s" });
  // @ts-expect-error a priority is a number
  await noop.enqueue(undefined, { priority: "high" });
  // @ts-expect-error tags are texts
  await noop.enqueue(undefined, { tags: { team: 1 } });

  // @ts-expect-error misspelt
  new App({ stroe: "memory:" });
  // @ts-expect-error no such level
  new App({ durability: "forever" });
  // @ts-expect-error misspelt, one table below
  new App({ workers: { slot: 8 } });
}

/** What a Step's function is given. */
export function contexts(): void {
  app.step("context", async (_: null, ctx) => {
    same<typeof ctx.attempt, number>(true);
    same<typeof ctx.abort, AbortSignal>(true);
    ctx.progress(1, 2, "half");
    // @ts-expect-error progress is counted in numbers
    ctx.progress("half");
    // @ts-expect-error what is given is not changed
    ctx.attempt = 2;
  });
}

/** A batch Step is fed one at a time; its function takes and gives lists. */
export async function batches(): Promise<void> {
  const batch = { maxSize: 10, wait: "1s" } as const;
  const double = app.batchStep("double", { batch }, async (inputs: readonly { n: number }[]) =>
    inputs.map(({ n }) => (n < 0 ? new Error("negative") : n * 2)),
  );
  same<typeof double, Step<{ n: number }, number>>(true);
  const handle = await double.enqueue({ n: 21 });
  same<typeof handle, Handle<number>>(true);

  // @ts-expect-error a batch Step needs to know how many
  app.batchStep("many", {}, async (inputs: readonly number[]) => inputs);
  // @ts-expect-error one result is no list
  app.batchStep("many", { batch }, async (inputs: readonly number[]) => inputs.length);
  // @ts-expect-error only batch Steps have a batch
  app.step("one", { batch }, async (n: number) => n);
}

/** What must and must not compile of handles, outcomes, schemas and errors. Judged by `tsc -b`, never run. */

import { App, isMillraceError, OperationFailed, RetryAfter, TerminalError } from "@millrace/core";
import type { StandardSchemaV1 } from "@standard-schema/spec";

const app = new App({ store: "memory:" });

/** The outcome of a wait tells its cases apart. */
export async function outcomes(): Promise<number | string> {
  const handle = await app.step("five", async () => 5).enqueue(undefined);
  const outcome = await handle.wait();
  // @ts-expect-error there is a value only when it completed
  void outcome.value;
  switch (outcome.state) {
    case "completed":
      return outcome.value + 1;
    case "failed":
      return outcome.error.message;
    default:
      return outcome.reason;
  }
}

/** A handle is no promise: awaiting it by mistake gives the handle, not the result. */
export async function notThenable(): Promise<void> {
  const handle = await app.step("six", async () => 6).enqueue(undefined);
  // @ts-expect-error results are asked for by result()
  const six: number = await handle;
  void six;
  // @ts-expect-error no such method
  handle.then;
}

/** A schema gives the input its type; a function that wants another does not fit. */
export function schemas(amount: StandardSchemaV1<{ amount: number }>): void {
  const charge = app.step("charge", { input: amount }, async (input) => input.amount * 2);
  void charge.enqueue({ amount: 1 });
  // @ts-expect-error the schema says number
  void charge.enqueue({ amount: "1" });
  // @ts-expect-error the schema knows no name
  app.step("refund", { input: amount }, async (input: { name: string }) => input.name);
}

/** Errors carry what their sentences name. */
export function errors(error: unknown): void {
  if (error instanceof OperationFailed) {
    const attempts: number = error.attempts;
    void attempts;
    // @ts-expect-error no such field
    void error.retries;
  }
  if (isMillraceError(error, "MR_QUEUE_FULL")) {
    const code: "MR_QUEUE_FULL" = error.code;
    void code;
  }
  void [new TerminalError("no such user"), new RetryAfter("30s")];
  // @ts-expect-error when is it to be tried again?
  void new RetryAfter();
}

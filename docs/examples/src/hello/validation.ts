/**
 * Input is checked when it is enqueued, by any Standard Schema: here one written by hand, usually zod, valibot, arktype.
 *
 * Prints:
 *   charged 5
 *   MR_INVALID_INPUT
 *   MR_UNKNOWN_TARGET
 */
import { App, isMillraceError } from "@millrace/core";
import type { StandardSchemaV1 } from "@standard-schema/spec";

const chargeInput: StandardSchemaV1<{ amount: number }> = {
  "~standard": {
    version: 1,
    vendor: "by hand",
    validate: (value) =>
      typeof value === "object" && value !== null && "amount" in value && Number.isInteger(value.amount)
        ? { value: { amount: Number(value.amount) } }
        : { issues: [{ message: "expected a whole number", path: ["amount"] }] },
  },
};

await using app = new App({ store: "memory:" });
const charge = app.step("charge", { input: chargeInput }, async ({ amount }) => `charged ${amount}`);
await app.start();

console.log(await app.run(charge, { amount: 5 }));

for (const [name, input] of [
  ["charge", { amount: "five" }], // by name the compiler cannot help; the schema does
  ["chrage", { amount: 5 }],
] as const) {
  try {
    await app.enqueue(name, input);
  } catch (error) {
    if (isMillraceError(error)) console.log(error.code);
  }
}

/**
 * Is a Step safe to run again? A crash is let happen at each point, the Step runs again as after a rescue, and what it
 * left behind is compared with a run in peace.
 *
 * Prints:
 *   charge: 3 crashes, twice the effect after: after_effect, duplicate
 *   chargeOnce: 3 crashes, twice the effect after: none
 *   charged with a crash in between: 1 time
 */
import { App } from "@millrace/core";
import { crashMatrix, createTestApp } from "@millrace/core/testing";

const app = new App({ store: "memory:" });
const charges = new Map<string, number>();

const charge = app.step("charge", async (cents: number) => {
  charges.set(`charge ${charges.size}`, cents);
});
const chargeOnce = app.step("chargeOnce", async (cents: number, { idempotencyKey }) => {
  charges.set(idempotencyKey, cents); // the second time it writes what is there
});

for (const step of [charge, chargeOnce]) {
  const { points, doubleEffects } = await crashMatrix(step, 500, {
    reset: () => charges.clear(),
    effects: () => [...charges],
  });
  const after = doubleEffects.join(", ") || "none";
  console.log(`${step.stepName}: ${points} crashes, twice the effect after: ${after}`);
}

charges.clear();
await using test = await createTestApp(app);
test.crash({ step: chargeOnce, point: "after_effect" });
await chargeOnce.enqueue(500);
await test.clock.runUntilIdle();
console.log(`charged with a crash in between: ${charges.size} time`);

/**
 * A week of an App in a moment: the clock moves when it is told, delays and retries happen at their time.
 *
 * Prints:
 *   2026-01-02T00:00 remind ann: the mail server is away
 *   2026-01-02T01:00 remind ann: sent
 *   2026-01-07T00:00 remind bob: sent
 */
import { App } from "@millrace/core";
import { createTestApp } from "@millrace/core/testing";

const app = new App({ store: "memory:" });
const remind = app.step("remind", { retries: 1, retryDelay: "1h" }, async (_name: string): Promise<void> => {
  throw new Error("tests send no mail");
});

await using test = await createTestApp(app, { now: new Date("2026-01-01T00:00:00Z") });
test.mock(remind, async (name, { attempt }) => {
  const isAway = name === "ann" && attempt === 1;
  const at = test.clock.now().toISOString().slice(0, 16);
  console.log(`${at} remind ${name}: ${isAway ? "the mail server is away" : "sent"}`);
  if (isAway) throw new Error("the mail server is away");
});

await remind.enqueue("bob", { delay: "6d" });
await remind.enqueue("ann", { delay: "1d" });
await test.clock.advance("7d");

/** The Steps of the play with ties: one with a limit, one with an order key. Both write down when they begin and end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { App, Step } from "@millrace/core";

/** Running at once, of all processes. */
export const SLOTS = 3;

/** Declares both Steps; `note` is told `<step> <key> <n> begins` or `… ends`. */
export function tiedSteps(app: App, note: (line: string) => Promise<void>) {
  const work = async (step: string, key: string, n: number): Promise<void> => {
    await note(`${step} ${key} ${n} begins`);
    await sleep(20);
    await note(`${step} ${key} ${n} ends`);
  };
  const limited: Step<number, void> = app.step("limited", { concurrency: SLOTS }, async (n: number) =>
    work("limited", "-", n),
  );
  const ordered: Step<{ key: string; n: number }, void> = app.step("ordered", { order: "key" }, async ({ key, n }) =>
    work("ordered", key, n),
  );
  return { limited, ordered };
}

/** Whether a claim costs more when more is waiting: the same claims with a thousand and with a million ready. */
import { type Claim, RedisStore } from "@millrace/core/internal";
import { RedisMeter } from "../tool/cpu.js";
import { costPer } from "./lua-life.js";
import { Driver, keepMs } from "./transitions.js";

const batch = 100;
const claimsPerWindow = 10;
const body = Buffer.alloc(100, "x");
const value = Buffer.alloc(24, "y");

/**
 * Redis processor time of a claim, in microseconds per Operation, one element a window.
 *
 * Never fewer than `ready` Operations wait: each window claims a thousand above that, then puts a thousand back.
 */
export async function measureClaimAt(url: string, ready: number, windows: number): Promise<readonly number[]> {
  const meter = new RedisMeter(url);
  const store = new RedisStore({ url, app: "bench" });
  try {
    await meter.flush();
    await store.open();
    const driver = await Driver.open(store, `depth${ready}`, body);
    const step = batch * claimsPerWindow;
    for (let waiting = 0; waiting < ready + step; waiting += 1000) await driver.enqueue(1000);
    const costs: number[] = [];
    for (let window = -1; window < windows; window++) {
      const claimed: (readonly Claim[])[] = [];
      const cost = await costPer(meter, step, async () => {
        for (let call = 0; call < claimsPerWindow; call++) claimed.push(await driver.claim(batch));
      });
      if (window >= 0) costs.push(cost); // the first window warms up
      for (const claims of claimed) await driver.complete(claims, value, keepMs);
      await driver.enqueue(step);
    }
    return costs;
  } finally {
    await store.close();
    meter.close();
  }
}

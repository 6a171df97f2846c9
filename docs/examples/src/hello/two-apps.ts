/**
 * Two Apps in one program: names and Queues of their own, even for Steps that are called the same.
 *
 * Prints:
 *   shop: order 7
 *   bank: payment for order 7
 */
import { App } from "@millrace/core";

await using shop = new App({ id: "shop", store: "memory:" });
await using bank = new App({ id: "bank", store: "memory:" });

const pay = bank.step("handle", async ({ order }: { order: number }) => `bank: payment for order ${order}`);
const order = shop.step("handle", async ({ number }: { number: number }) => {
  console.log(`shop: order ${number}`);
  return bank.run(pay, { order: number });
});

await Promise.all([shop.start(), bank.start()]);
console.log(await shop.run(order, { number: 7 }));

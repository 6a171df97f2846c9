/**
 * Payloads that only the App can read, and a key that is replaced while there is work.
 *
 * Prints:
 *   read with the old key: ann pays 12
 *   read with both: ann pays 12
 *   without the old key: MR_DECODE
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, isMillraceError } from "@millrace/core";

const folder = mkdtempSync(join(tmpdir(), "payloads-"));
// In a program they come from where its secrets are kept: MILLRACE_ENCRYPTION_KEY="2026-02:…,2026-01:…"
const oldKey = `2026-01:${randomBytes(32).toString("base64")}`;
const newKey = `2026-02:${randomBytes(32).toString("base64")}`;

/** The same App on the same store, with other keys. */
function appWith(encryptionKey: string[]) {
  const app = new App({ store: `embedded:${folder}`, encryptionKey, compressFrom: 4_096 });
  const charge = app.step("charge", async ({ who, amount }: { who: string; amount: number }) => {
    return `${who} pays ${amount}`;
  });
  return { app, charge };
}

const before = appWith([oldKey]);
await before.app.start();
const handle = await before.charge.enqueue({ who: "ann", amount: 12 });
console.log(`read with the old key: ${await handle.result()}`);
await before.app.close();

const between = appWith([newKey, oldKey]); // the first one writes, both read
console.log(`read with both: ${await between.app.handle(handle.id).result()}`);
await between.app.close();

const after = appWith([newKey]); // too early: there is still something the old one sealed
await after.app
  .handle(handle.id)
  .result()
  .catch((error: unknown) => {
    if (isMillraceError(error)) console.log(`without the old key: ${error.code}`);
  });
await after.app.close();
rmSync(folder, { recursive: true });

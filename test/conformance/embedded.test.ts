/** The contract in this process: in memory, and on LMDB at every level of durability. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedStore, MemoryStore } from "@millrace/core/internal";
import { SetClock } from "../helper/set-clock.js";
import { canonicalSnapshot } from "../sim/canonical.js";
import { storeSuite } from "./store.suite.js";

const startUs = Date.UTC(2026, 0, 1, 9) * 1000;

storeSuite("the memory store", async () => {
  const clock = new SetClock(startUs);
  const store = new MemoryStore({ app: "conformance", clock });
  await store.open();
  return {
    store,
    advance: async (ms) => {
      clock.atUs += ms * 1000;
    },
    snapshot: async (segment) => canonicalSnapshot(store.snapshot(segment)),
    close: () => store.close(),
  };
});

for (const durability of ["memory", "aof", "flushed"] as const) {
  storeSuite(`the embedded store, ${durability}`, async () => {
    const path = mkdtempSync(join(tmpdir(), "millrace-conformance-"));
    const clock = new SetClock(startUs);
    const store = new EmbeddedStore({ path, app: "conformance", durability, clock });
    await store.open();
    return {
      store,
      advance: async (ms) => {
        clock.atUs += ms * 1000;
      },
      snapshot: async (segment) => canonicalSnapshot(store.snapshot(segment)),
      close: async () => {
        await store.close();
        rmSync(path, { recursive: true, force: true });
      },
    };
  });
}

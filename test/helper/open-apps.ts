/** The Apps a test file has open: whatever a test does, they are stopped and closed after it. */
import type { App } from "@millrace/core";
import { afterEach } from "vitest";

/**
 * A list to which a test adds what it made, with its App; after each test what it holds is stopped and closed.
 * Call it once, at the top of a test file.
 */
export function openApps<T extends { readonly app: App } = { readonly app: App }>(): { add(made: T): T } {
  const open: T[] = [];
  afterEach(async () => {
    for (const { app } of open.splice(0)) {
      await app.stop({ drain: 0 });
      await app.close();
    }
  });
  return {
    add(made) {
      open.push(made);
      return made;
    },
  };
}

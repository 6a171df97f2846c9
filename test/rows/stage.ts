/** What the rows' tests share: Apps that are closed after each test, doors that handlers wait at. */
import { App, type AppOptions } from "@millrace/core";
import { afterEach } from "vitest";
import { closeAll } from "../helper/places.js";

/** Makes Apps and closes them after each test. Call it once in a `describe`. */
export function stage(): (options: AppOptions) => App {
  const apps: App[] = [];
  afterEach(() => closeAll(apps));
  return (options) => {
    const app = new App(options);
    apps.push(app);
    return app;
  };
}

/** A door that handlers wait at. */
export function door(): { readonly passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** A module that does not say which App is meant. */
import { App } from "@millrace/core";

export const first = new App({ id: "test" });
export const second = new App({ id: "test" });
first.step("of-first", async () => "first");
second.step("of-second", async () => "second");

/** A module of two Apps, each with an id of its own. */
import { App } from "@millrace/core";

export const app = new App({ id: "test" });
export const other = new App({ id: "other" });
app.step("of-test", async () => undefined);
other.step("of-other", async () => undefined);

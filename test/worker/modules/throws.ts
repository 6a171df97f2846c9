/** A module that cannot be imported. */
import { App } from "@millrace/core";

export const app = new App({ id: "test" });
app.step("twice", async () => undefined);
app.step("twice", async () => undefined);

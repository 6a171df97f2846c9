/** A module whose App is its default export, beside another one. */
import { App } from "@millrace/core";

const app = new App({ id: "test" });
app.step("of-default", async () => "default");
export const another = new App({ id: "test" });
// biome-ignore lint/style/noDefaultExport: users may export their App so
export { app as default };

/** The App of the bench `roundtrip`: one Step that answers at once, run by the Worker's real program. */
import { App } from "@millrace/core";

/** The App; Workers find it by this name. */
export const app = new App({ id: "bench" });

/** Its Step; the Foreman's end needs its definition. */
export const echo = app.step("echo", async ({ n }: { readonly n: number }) => n);

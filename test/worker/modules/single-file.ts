/** A program in one file: what stands below `start` is the main thread's alone. */
import { App } from "@millrace/core";

export const app = new App({ id: "test", module: import.meta.url });
app.step("only", async (n: number) => n + 1);
await app.start();
throw new Error("a Worker came to what stands below start");

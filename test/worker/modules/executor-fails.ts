/** An executor that cannot start. */
import { App } from "@millrace/core";

export const app = new App({ id: "test" });
app.executor("broken", {
  start: async () => {
    throw new Error("no licence");
  },
  execute: ({ run }) => run(),
});

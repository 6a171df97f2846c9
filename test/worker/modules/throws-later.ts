/** A module that starts its App without waiting for it, and throws. */
import { App } from "@millrace/core";

export const app = new App({ id: "test" });
void app.start();
throw new RangeError("below start");

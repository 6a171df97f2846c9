/** A module that keeps its App to itself and does not start it. */
import { App } from "@millrace/core";

new App({ id: "test" });

#!/usr/bin/env node
/** `millrace-foreman MODULE` is `millrace foreman MODULE`, for process managers that want a name of its own. */
import "./node-version.js";

const { main } = await import("../dist/cli/main.js");
await main(["foreman", ...process.argv.slice(2)]);

#!/usr/bin/env node
/** The `millrace` command: Node checks the version here, before it meets anything an older one cannot read. */
import "./node-version.js";

const { main } = await import("../dist/cli/main.js");
await main(process.argv.slice(2));

/** A Foreman of a profile: imports its App, starts it, stops it on SIGTERM. */
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { readSettings } from "../foremen/settings.js";
import { app } from "./steps.js";

const { leaseMs, beatMs } = readSettings();

app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, leaseMs, beatMs, surveyMs: 1_000 } });

process.once("SIGTERM", () => {
  void app.close().then(() => process.exit(0));
});
await app.start();
console.log("ready");

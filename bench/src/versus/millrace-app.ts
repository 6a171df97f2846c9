/**
 * The App that Millrace's Worker threads run when they are measured: the same Step as on the main thread. It counts its
 * runs where they happen and tells them when asked, so that nothing crosses threads while the clock runs.
 */
import { BroadcastChannel, isMainThread } from "node:worker_threads";
import { App } from "@millrace/core";
import { runsChannel } from "./runs-channel.js";
import { type Job, jobIndex } from "./subject.js";

const jobsMax = 1 << 20;
let runs = new Uint8Array(jobsMax);

/** The App; Workers find it by this name. */
export const app = new App({ id: "bench" });

app.step("noop", async (job: Job) => {
  const index = jobIndex(job.n);
  runs[index] = Math.min((runs[index] ?? 0) + 1, 255);
  return job.n;
});

/** The same work, before the clock runs. */
app.step("warm", async (job: Job) => job.n);

if (!isMainThread) {
  const channel = new BroadcastChannel(runsChannel);
  channel.onmessage = ({ data }) => {
    if (data !== "tell") return;
    channel.postMessage(runs);
    runs = new Uint8Array(jobsMax);
  };
  channel.unref();
}

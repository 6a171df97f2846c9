/** The process of one open-loop run: wiring only. */
import { serveChild } from "../tool/child.js";
import { measureLatencyHere } from "./latency-run.js";

serveChild(measureLatencyHere);

/** The process of one measurement of the bench `roundtrip`: wiring only. */
import { serveChild } from "../tool/child.js";
import { measureRoundtrip } from "./roundtrip-run.js";

serveChild(measureRoundtrip);

/** The process of one measurement: wiring only. */
import { serveChild } from "../tool/child.js";
import { measureHere } from "./measure.js";

serveChild(measureHere);

/** The process of one measurement of the bench `ring`: wiring only. */
import { serveChild } from "../tool/child.js";
import { measurePair } from "./ring-pair.js";

serveChild(measurePair);

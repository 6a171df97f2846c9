/**
 * What the rows of scripts/src/features/rows.ts promise to users, on all four stores: what no older suite shows there.
 * One file, so that one Cluster serves all; what belongs together stands in a module of its own.
 */
import { describe } from "vitest";
import { everyPlace } from "../helper/places.js";
import { doorRows } from "./door.js";
import { handleRows } from "./handles.js";
import { promiseRows } from "./promises.js";
import { runRows } from "./runs.js";
import { segmentRows } from "./segments.js";

describe.each(everyPlace("rows"))("rows on $name", (place) => {
  handleRows(place);
  runRows(place);
  segmentRows(place);
  doorRows(place);
  promiseRows(place);
});

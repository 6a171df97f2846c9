/**
 * Bugs that other queues paid for, as users met them, on memory and on Redis: life of an App, keys, time, flows.
 * Names are those of scripts/src/features/regressions.ts; what a store alone can have is in at-store.ts.
 */
import { describe } from "vitest";
import { everyPlace } from "../helper/places.js";
import { flowRegressions } from "./flows.js";
import { keyRegressions } from "./keys.js";
import { lifeRegressions } from "./life.js";
import { timeRegressions } from "./time.js";

const places = everyPlace("paid").filter(({ name }) => name === "memory" || name === "Redis");

describe.each(places)("bugs others paid for, on $name", (place) => {
  lifeRegressions(place);
  keyRegressions(place);
  timeRegressions(place);
  flowRegressions(place);
});

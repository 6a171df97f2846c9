/** The end of a tick, for lanes, reads and waits: see base/tick.ts, where Workers find it too. */
export { afterTick } from "../base/tick.js";

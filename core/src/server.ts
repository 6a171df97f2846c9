/**
 * The door for @millrace/server: what its commands and processes need beside the public door. Loads no store, so that
 * `millrace --help` does not wait for one. No promise of stability.
 */

export { bury, type Estate, isShared } from "./app/bury.js";
export type { MixWishes } from "./app/crew-spec.js";
export { examineRedis } from "./app/examine.js";
export { type ForemanTuning, type OpenForemanOptions, RunningForeman } from "./app/foreman-app.js";
export { preloadStore } from "./app/open-store.js";
export { type ScoutOptions, scout } from "./app/scout.js";
export { type Clock, systemClock, type Timer } from "./base/clock.js";
export { NODE_ID_PATTERN } from "./base/env.js";
export { type ErrorExtras, type ErrorRow, errorFactory, MillraceError, type SlotValues } from "./base/errors.js";
export { silentLogger } from "./base/log.js";
export { isName } from "./base/names.js";
export { describeRow, nearest, type OptionRow, type Resolved, resolveOptions } from "./base/options.js";
export type { CountsAnswer } from "./engine/transitions.js";
export type { WorkerView } from "./foreman/crew.js";
export { FOREMAN_TIMES, type ForemanTimes } from "./foreman/foreman.js";
export type { Pins } from "./foreman/mix/pins.js";
export type { MixOptions } from "./foreman/mix/settings.js";
export type { RedisReport } from "./store/redis/examine.js";
export type { Manifest, StepRow } from "./worker/manifest.js";

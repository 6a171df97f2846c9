/**
 * What a Foreman is told about its mix, from where it is told: the options of an App and the environment.
 */
import { readEnv } from "../base/env.js";
import type { Mix } from "./mix/mix.js";
import { PIN_VARIABLES, type Pins, parsePins } from "./mix/pins.js";
import { type MixOptions, resolveMixSettings } from "./mix/settings.js";
import type { MixPlan } from "./mix/state.js";

/**
 * Reads the pins MILLRACE_FORCE_BLOCKING, MILLRACE_FORCE_ASYNC and MILLRACE_FORCE_SLOTS; absent ones are free.
 *
 * Errors: MR_INVALID_OPTION for what is no integer; too large ones are clipped later, when the cap is known.
 */
export function readPins(): Pins {
  return parsePins({
    blocking: readEnv(PIN_VARIABLES.blocking),
    async: readEnv(PIN_VARIABLES.async),
    slots: readEnv(PIN_VARIABLES.slots),
  });
}

/** Makes a plan of the configured mix, settings as users write them, and pins (default: those of the environment). */
export function makeMixPlan(start: Mix, given: MixOptions = {}, pins: Pins = readPins()): MixPlan {
  return { start, settings: resolveMixSettings(given), pins };
}

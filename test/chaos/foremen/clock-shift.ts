/**
 * Preload of a Foreman under test: moves the wall clock of every thread by what a file says, milliseconds as text.
 *
 * The file is named after the Node and read again every few milliseconds of the monotonic clock, which stays.
 */
import { readFileSync } from "node:fs";
import { clockFile, readSettings } from "./settings.js";

const rereadMs = 10;

const { dir, node } = readSettings();
const file = clockFile(dir, node);
const RealDate = Date;
let offsetMs = 0;
let readAtMs = Number.NEGATIVE_INFINITY;

function now(): number {
  if (performance.now() - readAtMs >= rereadMs) {
    readAtMs = performance.now();
    try {
      offsetMs = Number(readFileSync(file, "utf8"));
    } catch {
      offsetMs = 0; // nobody has moved it yet
    }
  }
  return RealDate.now() + offsetMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made) as object, // a Date
  apply: (target) => new target(now()).toString(),
  get: (target, key, self) => (key === "now" ? now : Reflect.get(target, key, self)) as unknown,
});

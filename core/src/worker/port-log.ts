/**
 * A Worker's logger: lines go to the Foreman, whose logger writes them. Fields become plain data on the way, since
 * anything may be in them.
 */
import { show, toRemoteError } from "../base/errors.js";
import type { LogFields, Logger } from "../base/log.js";
import type { LogMessage } from "./boot.js";

/** Levels of what is inside fields; deeper parts are described. */
const DEPTH_MAX = 4;
/** Parts kept of a list or record. */
const PARTS_MAX = 100;

/** Makes a logger that posts its lines. `isDebug`: whether lines of level debug are wanted. */
export function portLogger(post: (message: LogMessage) => void, isDebug: boolean, own: LogFields = {}): Logger {
  const line = (level: LogMessage["level"]) => (fields: LogFields, message: string) => {
    post({ type: "log", level, fields: { ...own, ...dataOf(fields) }, message: String(message) });
  };
  return {
    debug: isDebug ? line("debug") : () => undefined,
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    child: (fields) => portLogger(post, isDebug, { ...own, ...dataOf(fields) }),
  };
}

function dataOf(fields: LogFields): LogFields {
  try {
    return partsOf(fields, DEPTH_MAX);
  } catch {
    return { fields: "cannot be read" }; // a getter or a Proxy that throws must not be the work's failure
  }
}

function partsOf(value: object, depthLeft: number): Record<string, unknown> {
  const parts: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value).slice(0, PARTS_MAX)) parts[key] = partOf(part, depthLeft - 1);
  return parts;
}

function partOf(part: unknown, depthLeft: number): unknown {
  if (part === null || part === undefined) return part;
  if (typeof part === "string" || typeof part === "number" || typeof part === "boolean") return part;
  if (typeof part !== "object" || depthLeft <= 0) return show(part);
  if (part instanceof Error) return toRemoteError(part);
  if (part instanceof Date) return part;
  if (Array.isArray(part)) return part.slice(0, PARTS_MAX).map((one) => partOf(one, depthLeft - 1));
  const prototype: unknown = Object.getPrototypeOf(part);
  return prototype === null || prototype === Object.prototype ? partsOf(part, depthLeft) : show(part);
}

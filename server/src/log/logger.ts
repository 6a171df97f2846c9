/**
 * The processes' logger (elsewhere: structured logging): core's Logger written by pino, one JSON object per line on
 * standard error, or for people on a terminal. Names fields as the log contract does, hides secrets, keeps levels per
 * target, and lets a warning that repeats itself through once in a while.
 */
import { isMillraceError, type LogFields, type Logger } from "@millrace/core";
import { type Clock, systemClock, type Timer } from "@millrace/core/server";
import pino from "pino";
import { isTarget, isWritten, type Level, type Levels, lowest, type Target } from "./levels.js";

/** How a logger is made. */
export interface LoggerOptions {
  readonly levels: Levels;
  /** Makes a line of JSON one for people; null: JSON it stays. */
  readonly prettify: ((line: string) => string) | null;
  /** Fields of every line: app_id, node_id. */
  readonly base: LogFields;
  /** Hides secrets in a finished line. */
  readonly mask: (line: string) => string;
  /** Takes finished lines; default: standard error, at once, so that a crash loses none. */
  readonly write?: (line: string) => void;
  readonly clock?: Clock;
}

/** A logger whose levels can be changed while it is used, and which says at once what it holds back. */
export interface ProcessLogger extends Logger {
  child(fields: LogFields): ProcessLogger;
  /** Whether lines of this level are written for any target: core sends none from thread to thread that nobody reads. */
  isLevelEnabled(level: string): boolean;
  setLevels(levels: Levels): void;
  /** Writes what is held back; before the process ends. */
  flush(): void;
}

/** A warning that comes again within this time is held back. Milliseconds. */
const REPEAT_MS = 10_000;
/** Different warnings remembered at a time; beyond it the oldest is forgotten. */
const REPEATS_MAX = 1_000;

/** Loads what makes lines for people: the time, the level, the sentence, then the fields. */
export async function loadPrettifier(hasColour: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  const show = prettyFactory({
    colorize: hasColour,
    messageKey: "message",
    timestampKey: "timestamp",
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "pid,app_id,node_id",
    singleLine: true,
  });
  return (line) => show(line) ?? line;
}

/** Makes the logger of a process. */
export function createLogger(options: LoggerOptions): ProcessLogger {
  return new PinoLogger(new Sink(options), { ...options.base, pid: process.pid, target: "foreman" });
}

class PinoLogger implements ProcessLogger {
  readonly #sink: Sink;
  readonly #fields: LogFields;

  constructor(sink: Sink, fields: LogFields) {
    this.#sink = sink;
    this.#fields = fields;
  }

  debug(fields: LogFields, message: string): void {
    this.#sink.take("debug", this.#fields, fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#sink.take("info", this.#fields, fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#sink.take("warn", this.#fields, fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#sink.take("error", this.#fields, fields, message);
  }

  child(fields: LogFields): ProcessLogger {
    return new PinoLogger(this.#sink, { ...this.#fields, ...named(fields) });
  }

  isLevelEnabled(level: string): boolean {
    return this.#sink.isEnabled(level);
  }

  setLevels(levels: Levels): void {
    this.#sink.setLevels(levels);
  }

  flush(): void {
    this.#sink.flush();
  }
}

/** A warning that was written and may be coming again. */
interface Repeat {
  held: number;
  last: { readonly target: Target; readonly fields: LogFields; readonly message: string } | null;
  timer: Timer;
}

/** Where all loggers of a process write to. */
class Sink {
  readonly #pino: pino.Logger;
  readonly #clock: Clock;
  readonly #repeats = new Map<string, Repeat>();
  #levels: Levels;

  constructor(options: LoggerOptions) {
    this.#levels = options.levels;
    this.#clock = options.clock ?? systemClock;
    const level = lowest(options.levels);
    this.#pino = pino(
      {
        level,
        // Ours come with each line: what pino adds by itself would stand there twice once a child says otherwise.
        base: null,
        messageKey: "message",
        timestamp: () => `,"timestamp":"${new Date(this.#clock.nowMs()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      },
      destinationOf(options),
    );
  }

  setLevels(levels: Levels): void {
    this.#levels = levels;
    this.#pino.level = lowest(levels);
  }

  isEnabled(level: string): boolean {
    return this.#pino.isLevelEnabled(level);
  }

  take(level: Exclude<Level, "silent">, own: LogFields, given: LogFields, message: string): void {
    const fields = { ...own, ...named(given) };
    const target = isTarget(fields.target) ? fields.target : "foreman";
    if (!isWritten(this.#levels, target, level)) return;
    // What a Step says about its own Operation is the user's: it is never held back.
    if (level === "warn" && fields.operation_id === undefined && this.#isHeld(target, fields, message)) return;
    this.#write(level, target, fields, message);
  }

  flush(): void {
    for (const [key, repeat] of this.#repeats) this.#release(key, repeat, "end");
  }

  #write(level: Exclude<Level, "silent">, target: Target, fields: LogFields, message: string): void {
    this.#pino[level]({ ...fields, target }, message);
  }

  /** Whether a warning is held back because one like it was written shortly before. */
  #isHeld(target: Target, fields: LogFields, message: string): boolean {
    const key = `${target}\n${message}`;
    const repeat = this.#repeats.get(key);
    if (repeat !== undefined) {
      repeat.held++;
      repeat.last = { target, fields, message };
      return true;
    }
    if (this.#repeats.size >= REPEATS_MAX) {
      const [oldest] = this.#repeats;
      if (oldest !== undefined) this.#release(...oldest, "end");
    }
    const fresh: Repeat = { held: 0, last: null, timer: this.#later(key) };
    this.#repeats.set(key, fresh);
    return false;
  }

  #later(key: string): Timer {
    const timer = this.#clock.setTimer(REPEAT_MS, () => {
      const repeat = this.#repeats.get(key);
      if (repeat !== undefined) this.#release(key, repeat, "again");
    });
    timer.unref();
    return timer;
  }

  /** Writes the last of what was held back; `suppressed` counts those before it. A warning that still comes waits again. */
  #release(key: string, repeat: Repeat, then: "again" | "end"): void {
    const { held, last } = repeat;
    repeat.timer.cancel();
    if (last !== null) {
      const suppressed = held > 1 ? { suppressed: held - 1 } : {};
      this.#write("warn", last.target, { ...last.fields, ...suppressed }, last.message);
    }
    if (last === null || then === "end") {
      this.#repeats.delete(key);
      return;
    }
    repeat.held = 0;
    repeat.last = null;
    repeat.timer = this.#later(key);
  }
}

function destinationOf(options: LoggerOptions): pino.DestinationStream {
  const { mask, prettify } = options;
  const write = options.write ?? toStandardError();
  return { write: (line) => write(mask(prettify === null ? line : prettify(line))) };
}

function toStandardError(): (line: string) => void {
  const stream = pino.destination({ fd: 2, sync: true });
  // The reader of our log is gone: work goes on without it.
  stream.on("error", () => undefined);
  return (line) => {
    stream.write(line);
  };
}

/** Core's fields by the names of the log contract: `operationId` → `operation_id`, `app` → `app_id`, errors as records. */
function named(fields: LogFields): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    result[NAMES[key] ?? snake(key)] = value instanceof Error ? errorRecord(value) : value;
  }
  return result;
}

const NAMES: Readonly<Record<string, string>> = {
  operation: "operation_id",
  app: "app_id",
  node: "node_id",
  worker: "worker_id",
  owner: "incarnation",
  err: "error",
};

function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function errorRecord(error: Error): Record<string, unknown> {
  const code: unknown = isMillraceError(error) ? error.code : (error as { code?: unknown }).code; // Node's errors have one
  const cause = error.cause instanceof Error ? { cause: error.cause.message } : {};
  return { ...(typeof code === "string" ? { code } : {}), message: error.message, stack: error.stack, ...cause };
}

/**
 * Where core writes what it has to say: nowhere, until a program hands it a logger. The shape is pino's, so a pino
 * logger fits as it is. Fields first, then a constant sentence: values never go into the sentence.
 */

/** What a log line carries beside its sentence. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A sink for log lines by level. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** The default: says nothing. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
};

function ignore(): void {
  // Silence is this logger's whole work.
}

/**
 * What a command says, and where: results on standard output, everything else on standard error; for people, or as
 * JSON for programs. Colours only on a terminal. Text that comes from elsewhere cannot move the cursor.
 */
import { styleText } from "node:util";
import { isMillraceError } from "@millrace/core";

/** The way out of a command. */
export interface OutputOptions {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** False for `--no-color`; NO_COLOR in the environment says the same. */
  readonly isColourAllowed: boolean;
  readonly mask?: (text: string) => string;
}

export type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** Writes results, notes and errors. */
export class Output {
  readonly isJson: boolean;
  readonly #options: OutputOptions;
  #mask: (text: string) => string;

  constructor(options: OutputOptions) {
    this.isJson = options.isJson;
    this.#options = options;
    this.#mask = options.mask ?? ((text) => text);
  }

  /** From now on these secrets are hidden. */
  hide(mask: (text: string) => string): void {
    this.#mask = mask;
  }

  /** Writes a result: `data` as one line of JSON, or `text` for people. */
  result(data: unknown, text: string): void {
    const shown = this.isJson ? toJson(data) : text;
    this.#options.stdout.write(`${this.#mask(shown)}\n`);
  }

  /** Tells people what is going on; not with --quiet. */
  note(text: string): void {
    if (!this.#options.isQuiet) this.#options.stderr.write(`${this.#mask(text)}\n`);
  }

  /** Tells why the command failed. */
  fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const code = isMillraceError(error) ? error.code : undefined;
    const { stderr } = this.#options;
    if (this.isJson) {
      const details = code === "MR_CONFIG" ? (error as { details?: object }).details : {}; // a MillraceError has them
      stderr.write(`${this.#mask(toJson({ error: { code, message, ...details } }))}\n`);
      return;
    }
    const label = stderr.isTTY === true && this.#hasColour() ? styleText("red", "error") : "error";
    stderr.write(`${this.#mask(`${label}: ${plain(message)}${code === undefined ? "" : ` (${code})`}`)}\n`);
    const hint = code === undefined ? undefined : HINTS[code];
    if (hint !== undefined) stderr.write(`${hint}\n`);
    if (error instanceof Error && code === undefined && error.stack !== undefined) {
      stderr.write(`${this.#mask(error.stack)}\n`); // not one of ours: whoever mends it needs the place
    }
  }

  /** Colours a part of a result, if results go to a terminal. */
  paint(colour: Colour, text: string): string {
    return this.#options.stdout.isTTY === true && this.#hasColour() ? styleText(colour, text) : text;
  }

  #hasColour(): boolean {
    return this.#options.isColourAllowed;
  }
}

/** What to do about an error, where its message cannot say. */
const HINTS: Readonly<Record<string, string>> = {
  MR_STORE_LOCKED: "An embedded store belongs to one process at a time: stop that one, or use redis://….",
  MR_NODE_TAKEN: "Give this Node another name (--node-id), or take the name over (--takeover) if that one is gone.",
  MR_STORE_UNAVAILABLE: "Is the server running, and is --store (MILLRACE_STORE_URL, REDIS_URL) its address?",
};

/** Rows as columns of equal width; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, width(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - width(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Text without anything that a terminal would obey; line ends stay. */
export function plain(text: string): string {
  return [...text].map((letter) => (isControl(letter) ? "�" : letter)).join("");
}

/** JSON of a result: dates as ISO text, big integers as decimal text, bytes as `{"$bytes": base64}`. */
export function toJson(value: unknown): string {
  return JSON.stringify(asJson(value)) ?? "null";
}

function asJson(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(asJson);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asJson(inner)]));
}

const COLOUR_CODE = "\u001b[";

/** Columns a text takes: colours take none. */
function width(text: string): number {
  if (!text.includes(COLOUR_CODE)) return [...text].length;
  const parts = text.split(COLOUR_CODE);
  return parts.reduce((sum, part, at) => sum + [...(at === 0 ? part : part.slice(part.indexOf("m") + 1))].length, 0);
}

function isControl(letter: string): boolean {
  const code = letter.codePointAt(0) ?? 0;
  return (code < 32 && letter !== "\n" && letter !== "\t") || (code >= 127 && code < 160);
}

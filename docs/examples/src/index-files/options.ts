/** What may stand on the command line, and what is meant when it does not. */
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Options of one run. Folders are absolute paths. */
export interface Options {
  readonly dir: string;
  readonly out: string;
  readonly store: string;
  readonly concurrency: number;
  readonly fresh: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** A mistake on the command line: the program ends with code 2 and this message. */
export class UsageError extends Error {}

/** The text of --help. */
export const HELP = `Indexes every file below a folder, through a durable queue: size, SHA-256, gzip size, lines, words.
Stop it in any way, even with kill -9, and start it again: it goes on where it was.

  npm start -- [options]

  --dir D          folder to index                    (node_modules of this repository)
  --out D          where reports and progress go      (.millrace/index-files)
  --store URL      embedded:DIR or redis://…          (embedded: in the out folder)
  --concurrency N  files worked on at once, 1…256     (8)
  --fresh          forget an unfinished run
  --json           print the outcome as JSON, all else to stderr
  --help           this text

Writes report.md, report.svg, report.json and index.jsonl (one line per file), which depend on the files alone, and
timing.json, which does not. Ends with 0 when done, 1 on an error, 2 on a wrong option, 130 when interrupted.
`;

const ownModules = fileURLToPath(new URL("../../../../node_modules", import.meta.url));

/** Reads the arguments. Errors: UsageError. */
export function readOptions(argv: readonly string[]): Options {
  const given = parse(argv);
  const out = resolve(given.out ?? join(".millrace", "index-files"));
  const dir = resolve(given.dir ?? ownModules);
  const concurrency = Number(given.concurrency ?? 8);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 256) {
    throw new UsageError(`--concurrency: expected an integer 1…256, got "${given.concurrency}"`);
  }
  if (given.help !== true && !statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`--dir: ${dir} is not a folder`);
  }
  return {
    dir,
    out,
    concurrency,
    store: given.store ?? `embedded:${join(out, "store")}`,
    fresh: given.fresh ?? false,
    json: given.json ?? false,
    help: given.help ?? false,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        dir: { type: "string" },
        out: { type: "string" },
        store: { type: "string" },
        concurrency: { type: "string" },
        fresh: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

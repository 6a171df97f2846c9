/** The fan-in: adds up what was learnt of each file, per extension and in total. Memory grows with extensions only. */
import { extname } from "node:path";
import type { FileResult } from "./index-file.js";

/** Sums over some files. Lines and words are those of text files. */
export interface Sums {
  readonly files: number;
  readonly binaryFiles: number;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly lines: number;
  readonly words: number;
}

/** Everything the reports say. Depends on the files alone: not on time, order or how often the program was killed. */
export interface Summary {
  readonly folder: string;
  readonly total: Sums;
  /** Largest first. */
  readonly extensions: readonly (Sums & { readonly extension: string })[];
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  readonly symlinks: number;
}

const NOTHING: Sums = { files: 0, binaryFiles: 0, bytes: 0, gzipBytes: 0, lines: 0, words: 0 };

/** Takes results one by one, in any order. */
export class Totals {
  readonly #byExtension = new Map<string, Sums>();
  readonly #unreadable: { path: string; reason: string }[] = [];

  /** Adds one file; each must be added once. */
  add(path: string, result: FileResult): void {
    if ("unreadable" in result) {
      this.#unreadable.push({ path, reason: result.unreadable });
      return;
    }
    const extension = extname(path).toLowerCase() || "(none)";
    const isBinary = result.lines === null;
    this.#byExtension.set(
      extension,
      sum(this.#byExtension.get(extension) ?? NOTHING, {
        files: 1,
        binaryFiles: isBinary ? 1 : 0,
        bytes: result.bytes,
        gzipBytes: result.gzipBytes,
        lines: result.lines ?? 0,
        words: result.words ?? 0,
      }),
    );
  }

  /** What was added, together with what the scan already knew. */
  summary(scanned: {
    readonly root: string;
    readonly symlinks: number;
    readonly unreadable: Summary["unreadable"];
  }): Summary {
    const extensions = [...this.#byExtension].map(([extension, sums]) => ({ extension, ...sums }));
    extensions.sort((a, b) => b.bytes - a.bytes || (a.extension < b.extension ? -1 : 1));
    return {
      folder: scanned.root,
      total: [...this.#byExtension.values()].reduce(sum, NOTHING),
      extensions,
      unreadable: [...scanned.unreadable, ...this.#unreadable].sort((a, b) => (a.path < b.path ? -1 : 1)),
      symlinks: scanned.symlinks,
    };
  }
}

function sum(a: Sums, b: Sums): Sums {
  return {
    files: a.files + b.files,
    binaryFiles: a.binaryFiles + b.binaryFiles,
    bytes: a.bytes + b.bytes,
    gzipBytes: a.gzipBytes + b.gzipBytes,
    lines: a.lines + b.lines,
    words: a.words + b.words,
  };
}

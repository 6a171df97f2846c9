/**
 * The work done for one file: size, SHA-256, size after gzip, lines and words. It knows nothing of queues.
 *
 * Files are read as streams, so memory stays flat whatever their size. Lines are newline bytes and words are runs of
 * non-blank bytes, as `wc` counts them. A file with a NUL among its first 8,000 bytes is binary: it has neither.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** What is known of a file that could be read. `lines` and `words` are null for binary files. */
export interface FileFacts {
  readonly bytes: number;
  readonly sha256: string;
  readonly gzipBytes: number;
  readonly lines: number | null;
  readonly words: number | null;
}

/** What became of a file: its facts, or the system's word for why it cannot be read (`EACCES`). */
export type FileResult = FileFacts | { readonly unreadable: string };

/** Reads one file. An error of the file's own is a result; anything else is thrown, and tried again by the queue. */
export async function indexFile(path: string, abort: AbortSignal): Promise<FileResult> {
  try {
    return await measure(path, abort);
  } catch (error) {
    if (isSystemError(error) && OF_THE_FILE.has(error.code)) return { unreadable: error.code };
    throw error;
  }
}

/** Not there any more, not ours to read, or no file. */
const OF_THE_FILE = new Set(["EACCES", "EPERM", "ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG"]);

async function measure(path: string, abort: AbortSignal): Promise<FileFacts> {
  const hash = createHash("sha256");
  const text = { isBinary: false, lines: 0, words: 0, isInWord: false };
  let bytes = 0;
  let gzipBytes = 0;

  await pipeline(
    createReadStream(path),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        if (bytes === 0) text.isBinary = chunk.subarray(0, 8_000).includes(0);
        bytes += chunk.length;
        hash.update(chunk);
        if (!text.isBinary) count(chunk, text);
        yield chunk;
      }
    },
    createGzip(),
    async (zipped: AsyncIterable<Buffer>) => {
      for await (const chunk of zipped) gzipBytes += chunk.length;
    },
    { signal: abort },
  );

  const { isBinary, lines, words } = text;
  const sha256 = hash.digest("hex");
  return { bytes, sha256, gzipBytes, lines: isBinary ? null : lines, words: isBinary ? null : words };
}

/** Adds a chunk's lines and words; a word may go on in the next chunk. */
function count(chunk: Buffer, text: { lines: number; words: number; isInWord: boolean }): void {
  for (const byte of chunk) {
    const isBlank = byte === 32 || (byte >= 9 && byte <= 13);
    if (byte === 10) text.lines++;
    if (!isBlank && !text.isInWord) text.words++;
    text.isInWord = !isBlank;
  }
}

/** Whether something thrown is an error of the operating system. */
export function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string" && "errno" in error;
}

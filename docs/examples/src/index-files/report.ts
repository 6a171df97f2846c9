/** Writes a Summary for people (Markdown) and for machines (JSON). Same Summary, same bytes. */
import type { Summary, Sums } from "./totals.js";

const ROWS_MAX = 25;

/** report.md. The chart beside it is report.svg. */
export function markdownOf(summary: Summary): string {
  const { total, extensions, unreadable, symlinks } = summary;
  const rest = extensions.slice(ROWS_MAX);
  return [
    "# Files by extension",
    "",
    `\`${summary.folder}\`: ${whole(total.files)} files, ${size(total.bytes)}, ${size(total.gzipBytes)} after gzip.`,
    `Symbolic links, not followed: ${whole(symlinks)}. Unreadable: ${whole(unreadable.length)}.`,
    "",
    "![Bytes by extension, before and after gzip](report.svg)",
    "",
    "| extension | files | bytes | after gzip | lines | words | binary files |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...extensions.slice(0, ROWS_MAX).map((row) => line(cell(row.extension), row)),
    ...(rest.length === 0 ? [] : [`| … ${whole(rest.length)} more, in report.json | | | | | | |`]),
    line("**all**", total),
    "",
    "Lines and words are those of text files; a file with a NUL among its first 8,000 bytes is binary.",
    ...(unreadable.length === 0 ? [] : ["", "## Unreadable", ""]),
    ...unreadable.map(({ path, reason }) => `- \`${path}\`: ${reason}`),
    "",
  ].join("\n");
}

/** report.json. */
export function jsonOf(summary: Summary): string {
  return `${JSON.stringify(summary, null, 2)}\n`;
}

/** A number of bytes as people read it. */
export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), units.length);
  return `${(bytes / 1_000 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** A whole number with its thousands parted. */
export function whole(count: number): string {
  return count.toLocaleString("en-US");
}

function line(name: string, sums: Sums): string {
  const { files, bytes, gzipBytes, lines, words, binaryFiles } = sums;
  return `| ${name} | ${[files, bytes, gzipBytes, lines, words, binaryFiles].map(whole).join(" | ")} |`;
}

/** A file name may hold what a table takes for its own. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

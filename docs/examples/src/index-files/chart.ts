/** report.svg: one bar per extension, its part that is left after gzip drawn darker. No library, no time, no chance. */
import { size, whole } from "./report.js";
import type { Summary } from "./totals.js";

const BARS_MAX = 12;
const WIDTH = 760;
const ROW = 30;
const TOP = 64;
const NAME_X = 110;
const BAR_X = 122;
const BAR_WIDTH = 400;

/** Draws the largest extensions. */
export function chartOf(summary: Summary): string {
  const rows = summary.extensions.slice(0, BARS_MAX);
  const largest = Math.max(1, ...rows.map((row) => row.bytes));
  const wide = (bytes: number) => Math.max(1, Math.round((bytes / largest) * BAR_WIDTH));
  const bars = rows.map((row, index) => {
    const y = TOP + index * ROW;
    const label = `${size(row.bytes)} → ${size(row.gzipBytes)}, ${whole(row.files)} files`;
    return [
      `<text x="${NAME_X}" y="${y + 15}" text-anchor="end">${escaped(shorten(row.extension))}</text>`,
      `<rect x="${BAR_X}" y="${y}" width="${wide(row.bytes)}" height="20" fill="#9cc3e6"/>`,
      `<rect x="${BAR_X}" y="${y}" width="${wide(row.gzipBytes)}" height="20" fill="#1f5f99"/>`,
      `<text x="${BAR_X + wide(row.bytes) + 8}" y="${y + 15}" class="note">${label}</text>`,
    ].join("\n");
  });
  const height = TOP + rows.length * ROW + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>Bytes by extension, before and after gzip</title>
<style>text { font: 13px system-ui, sans-serif; fill: #222 } .note { font-size: 12px; fill: #555 } .head { font-size: 16px }</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="26" class="head">Bytes by extension</text>
<text x="16" y="46" class="note">light: as they are · dark: after gzip</text>
${bars.join("\n")}
</svg>
`;
}

function shorten(extension: string): string {
  return extension.length <= 14 ? extension : `${extension.slice(0, 13)}…`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

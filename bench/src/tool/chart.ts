/**
 * Charts as self-contained SVG text: horizontal bars in groups, and lines. Pure; no dependency, no script.
 *
 * Colours follow the reader's light or dark preference, so the same file reads well on a page of either kind. Every
 * bar and line end carries its value: no chart needs its axis to be read.
 */
import { short } from "./format.js";

/** How lengths follow values. A logarithmic axis starts at a power of ten below the smallest value. */
export type Scale = "linear" | "log";

/** Bars side by side: one group per question, one bar per subject in it. `null` draws a gap, "not measured". */
export interface BarChart {
  readonly title: string;
  readonly subtitle?: string;
  /** What the axis counts, units last: "Operations per second". */
  readonly axis: string;
  readonly scale: Scale;
  readonly series: readonly string[];
  readonly groups: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
}

/** Lines over one horizontal axis. Points must rise in `x`. */
export interface LineChart {
  readonly title: string;
  readonly subtitle?: string;
  readonly xAxis: string;
  readonly yAxis: string;
  readonly xScale: Scale;
  readonly yScale: Scale;
  /** Where the horizontal axis is labelled, and with what; default: every x that occurs. */
  readonly xTicks?: readonly { readonly x: number; readonly label: string }[];
  readonly lines: readonly { readonly label: string; readonly points: readonly { x: number; y: number }[] }[];
}

const WIDTH = 840;
const MARGIN = 24;
const HEAD = 64;
const BAR = 20;
const BAR_GAP = 3;
const GROUP_GAP = 18;
const LEGEND_ROW = 22;
const LEGEND_MARK = 18;
const LEGEND_GAP = 22;
const PLOT_HEIGHT = 320;
const COLOURS = 6;

interface Theme {
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly paper: string;
  readonly series: readonly string[];
}

// Chosen for equal weight on white and near-black and to stay apart for colour-blind readers (after Okabe and Ito).
const light: Theme = {
  ink: "#1f2328",
  quiet: "#59636e",
  grid: "#e2e6ea",
  paper: "#ffffff",
  series: ["#0b62c4", "#c9510c", "#12805c", "#8250df", "#9a6700", "#bf3989"],
};
const dark: Theme = {
  ink: "#e6edf3",
  quiet: "#9198a1",
  grid: "#2a313a",
  paper: "#0d1117",
  series: ["#4c9aff", "#ff9350", "#3fc195", "#b392f0", "#d9a62e", "#f778ba"],
};

const STYLE = [
  'text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif}.title{font-size:17px;font-weight:600}',
  ".end{text-anchor:end}.mid{text-anchor:middle}.line{fill:none;stroke-width:2.5;stroke-linejoin:round}",
  themeStyle(light),
  `@media (prefers-color-scheme:dark){${themeStyle(dark)}}`,
].join("\n");

/** Draws bars. */
export function barChart(chart: BarChart): string {
  const values = chart.groups.flatMap((group) => group.values).filter((value) => value !== null);
  const axis = makeAxis(values, chart.scale, true);
  const left = MARGIN + 8 + textWidth(chart.groups.map((group) => group.label));
  const right = WIDTH - MARGIN - 70; // room for the value behind the longest bar
  const top = HEAD + legendHeight(chart.series) + 6;
  const groupHeight = chart.series.length * (BAR + BAR_GAP) - BAR_GAP;
  const bottom = top + chart.groups.length * (groupHeight + GROUP_GAP) - GROUP_GAP + 10;
  const at = (value: number): number => left + axis.position(value) * (right - left);

  const grid = axis.ticks.map(
    (tick) =>
      `<line class="grid" x1="${px(at(tick))}" x2="${px(at(tick))}" y1="${top - 6}" y2="${px(bottom)}"/>` +
      `<text class="quiet mid" x="${px(at(tick))}" y="${px(bottom + 18)}">${short(tick)}</text>`,
  );
  const bars = chart.groups.map((group, g) => {
    const y = top + g * (groupHeight + GROUP_GAP);
    const rows = chart.series.map((_, s) => bar(group.values[s] ?? null, s, y + s * (BAR + BAR_GAP), left, at));
    const label = `<text class="end" x="${left - 10}" y="${px(y + groupHeight / 2 + 5)}">${escapeText(group.label)}</text>`;
    return label + rows.join("");
  });
  const axisName = `<text class="quiet mid" x="${px((left + right) / 2)}" y="${px(bottom + 40)}">${escapeText(axisText(chart.axis, chart.scale))}</text>`;
  return frame(chart, bottom + 56, [...legend(chart.series), ...grid, ...bars, axisName]);
}

/** Draws lines. */
export function lineChart(chart: LineChart): string {
  const points = chart.lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const xTicks = chart.xTicks ?? xs.map((x) => ({ x, label: short(x) }));
  const yAxis = makeAxis(
    points.map((point) => point.y),
    chart.yScale,
    false,
  );
  const left = MARGIN + 56;
  const right = WIDTH - MARGIN - 56;
  const labels = chart.lines.map((line) => line.label);
  const top = HEAD + legendHeight(labels) + 30;
  const bottom = top + PLOT_HEIGHT;
  const xPosition = span(xs[0] ?? 0, xs.at(-1) ?? 1, chart.xScale);
  const xAt = (x: number): number => left + xPosition(x) * (right - left);
  const yAt = (y: number): number => bottom - yAxis.position(y) * PLOT_HEIGHT;

  const grid = yAxis.ticks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${right}" y1="${px(yAt(tick))}" y2="${px(yAt(tick))}"/>` +
      `<text class="quiet end" x="${left - 8}" y="${px(yAt(tick) + 4)}">${short(tick)}</text>`,
  );
  const xLabels = xTicks.map(
    ({ x, label }) => `<text class="quiet mid" x="${px(xAt(x))}" y="${bottom + 20}">${escapeText(label)}</text>`,
  );
  const lines = chart.lines.map((line, index) => {
    const colour = index % COLOURS;
    const path = line.points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${px(xAt(x))} ${px(yAt(y))}`).join("");
    const dots = line.points.map(
      ({ x, y }) => `<circle class="f${colour}" cx="${px(xAt(x))}" cy="${px(yAt(y))}" r="3.5"/>`,
    );
    const last = line.points.at(-1);
    const end =
      last === undefined ? "" : `<text x="${px(xAt(last.x) + 8)}" y="${px(yAt(last.y) + 4)}">${short(last.y)}</text>`;
    return `<path class="line s${colour}" d="${path}"/>${dots.join("")}${end}`;
  });
  const names = [
    `<text class="quiet mid" x="${px((left + right) / 2)}" y="${bottom + 42}">${escapeText(chart.xAxis)}</text>`,
    `<text class="quiet" x="${MARGIN}" y="${top - 14}">${escapeText(axisText(chart.yAxis, chart.yScale))}</text>`,
  ];
  return frame(chart, bottom + 58, [...legend(labels), ...grid, ...xLabels, ...lines, ...names]);
}

/** Where a value lies between the ends of an axis (0…1), and where the axis is labelled. */
export interface Axis {
  readonly ticks: readonly number[];
  position(value: number): number;
}

/** Chooses round ends and ticks for values. For bars, whose length is the message, the smallest keeps some length. */
export function makeAxis(values: readonly number[], scale: Scale, isForBars: boolean): Axis {
  const shown = values.filter((value) => Number.isFinite(value) && (scale === "linear" || value > 0));
  const low = shown.length === 0 ? 1 : Math.min(...shown);
  const high = shown.length === 0 ? 1 : Math.max(...shown);
  if (scale === "log") {
    const first = 10 ** Math.floor(Math.log10(low) - (isForBars ? 0.01 : 0));
    const last = Math.max(10 ** Math.ceil(Math.log10(high)), first * 10);
    const ticks: number[] = [];
    for (let tick = first; tick <= last * 1.001; tick *= 10) ticks.push(tick);
    return { ticks, position: span(first, last, "log") };
  }
  const bottom = Math.min(0, low);
  const step = niceStep((high - bottom) / 5);
  const first = Math.floor(bottom / step) * step;
  const last = Math.max(Math.ceil(high / step) * step, first + step);
  const count = Math.round((last - first) / step);
  return {
    ticks: Array.from({ length: count + 1 }, (_, i) => first + i * step),
    position: span(first, last, "linear"),
  };
}

// Plain rules, no CSS variables: some viewers of SVG know none.
function themeStyle({ ink, quiet, grid, paper, series }: Theme): string {
  const colours = series.map((colour, i) => `.f${i}{fill:${colour}}.s${i}{stroke:${colour}}`);
  return `text{fill:${ink}}.quiet{fill:${quiet}}.grid{stroke:${grid}}.paper{fill:${paper}}${colours.join("")}`;
}

function bar(value: number | null, series: number, y: number, left: number, at: (value: number) => number): string {
  if (value === null || !Number.isFinite(value)) {
    return `<text class="quiet" x="${px(left + 6)}" y="${px(y + 15)}">not measured</text>`;
  }
  const end = Math.max(at(value), left + 1);
  const shape = `<rect class="f${series % COLOURS}" x="${px(left)}" y="${px(y)}" width="${px(end - left)}" height="${BAR}" rx="2"/>`;
  return `${shape}<text x="${px(end + 6)}" y="${px(y + 15)}">${short(value)}</text>`;
}

/** Where each label of the legend stands; it goes on in a new row when the width is used up. */
function legendPlaces(labels: readonly string[]): readonly { readonly x: number; readonly row: number }[] {
  let x = MARGIN;
  let row = 0;
  return labels.map((label) => {
    const width = LEGEND_MARK + textWidth([label]);
    if (x > MARGIN && x + width > WIDTH - MARGIN) {
      x = MARGIN;
      row++;
    }
    const place = { x, row };
    x += width + LEGEND_GAP;
    return place;
  });
}

function legendHeight(labels: readonly string[]): number {
  return ((legendPlaces(labels).at(-1)?.row ?? 0) + 1) * LEGEND_ROW;
}

function legend(labels: readonly string[]): string[] {
  const places = legendPlaces(labels);
  return labels.map((label, index) => {
    const { x, row } = places[index] ?? { x: MARGIN, row: 0 };
    const y = HEAD + row * LEGEND_ROW;
    return (
      `<rect class="f${index % COLOURS}" x="${px(x)}" y="${y - 2}" width="12" height="12" rx="2"/>` +
      `<text x="${px(x + LEGEND_MARK)}" y="${y + 9}">${escapeText(label)}</text>`
    );
  });
}

function frame(chart: { title: string; subtitle?: string }, height: number, parts: readonly string[]): string {
  const subtitle =
    chart.subtitle === undefined ? "" : `<text class="quiet" x="${MARGIN}" y="50">${escapeText(chart.subtitle)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${px(height)}" role="img" aria-label="${escapeText(chart.title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${px(height)}" rx="8"/>`,
    `<text class="title" x="${MARGIN}" y="30">${escapeText(chart.title)}</text>${subtitle}`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function span(first: number, last: number, scale: Scale): (value: number) => number {
  const measure = scale === "log" ? (value: number) => Math.log10(Math.max(value, Number.MIN_VALUE)) : (v: number) => v;
  const from = measure(first);
  const width = measure(last) - from || 1;
  return (value) => Math.min(1, Math.max(0, (measure(value) - from) / width));
}

function niceStep(rough: number): number {
  if (!(rough > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= rough) ?? 10;
  return factor * power;
}

function axisText(name: string, scale: Scale): string {
  return scale === "log" ? `${name} (logarithmic)` : name;
}

// No font metrics here: a generous average keeps labels from touching.
function textWidth(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length)) * 7.2;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

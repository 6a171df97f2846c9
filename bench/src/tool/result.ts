/** Writes one run: `result.json` for programs, `report.md` for people, and its charts. One folder per run. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Gate, gateLine } from "./gate.js";
import { type Machine, machineLines } from "./machine.js";
import { type Table, tableMarkdown } from "./table.js";

/** What a bench was told: plain values, printed and kept as they are. */
export type Settings = Readonly<Record<string, unknown>>;

/** The shape of `result.json`. Each bench documents its own `metrics`. */
export interface Result {
  readonly name: string;
  readonly machine: Machine;
  readonly settings: Settings;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly gates: readonly Gate[];
}

/** A drawing and the file name it gets. */
export interface Chart {
  readonly file: string;
  readonly svg: string;
}

/** What people read beside a result. */
export interface Reading {
  readonly tables: readonly Table[];
  readonly charts: readonly Chart[];
  /** Anything that makes the run worthless, in sentences. */
  readonly voids: readonly string[];
}

/** The folder name of a run: UTC time and bench, sorting by time. */
export function runName(bench: string, now: Date): string {
  return `${now.toISOString().slice(0, 19).replaceAll(":", "")}Z-${bench}`;
}

/** Writes everything below `folder` (made if need be) and answers the files written. */
export function writeRun(folder: string, result: Result, reading: Reading): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const files = [
    { file: "result.json", text: resultJson(result) },
    { file: "report.md", text: reportMarkdown(result, reading) },
    ...reading.charts.map(({ file, svg }) => ({ file, text: svg })),
  ];
  for (const { file, text } of files) writeFileSync(join(folder, file), text);
  return files.map(({ file }) => join(folder, file));
}

/** The JSON text of a result. */
export function resultJson(result: Result): string {
  const { name, machine, settings, metrics, gates } = result;
  return `${JSON.stringify({ name, machine, settings, metrics, gates }, null, 2)}\n`;
}

/** The report of a run in Markdown. */
export function reportMarkdown(result: Result, reading: Reading): string {
  const { machine } = result;
  const voids = reading.voids.map((reason) => `> **Void:** ${reason}`);
  const gates = result.gates.map((gate) => `- ${gateLine(gate)}`);
  return [
    `# Bench: ${result.name}`,
    ...(voids.length === 0 ? [] : ["", ...voids]),
    ...(gates.length === 0 ? [] : ["", "## Gates", "", ...gates]),
    "",
    "## Figures",
    ...reading.tables.flatMap((table) => ["", tableMarkdown(table)]),
    ...reading.charts.flatMap(({ file }) => ["", `![${file.replace(".svg", "")}](${file})`]),
    "",
    "## Machine",
    "",
    "```text",
    ...machineLines(machine),
    `load      ${machine.loadAfter.join(" ")} after`,
    "```",
    "",
    "## Settings",
    "",
    ...settingLines(result.settings).map((line) => `- ${line}`),
    "",
  ].join("\n");
}

/** Settings in lines: "jobs: 20000". */
export function settingLines(settings: Settings): readonly string[] {
  return Object.entries(settings).map(([name, value]) => `${name}: ${settingText(value)}`);
}

function settingText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(settingText).join(", ");
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([name, inner]) => `${name} ${settingText(inner)}`);
    return entries.join("; ");
  }
  return String(value);
}

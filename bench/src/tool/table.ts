/** A table of text: the same rows for a terminal (aligned columns) and for Markdown. Pure. */

/** Rows of text under one title. The first column is a name (left), the others are figures (right). */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences under the table: what a reader must know to read it rightly. */
  readonly notes?: readonly string[];
}

/** Aligned columns with a rule under the head. */
export function tableText(table: Table): string {
  const widths = columnWidths(table);
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, column) => pad(cells[column] ?? "", width, column))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [table.title, "", line(table.columns), rule, ...table.rows.map(line), ...(table.notes ?? [])].join("\n");
}

/** The same as a Markdown section. */
export function tableMarkdown(table: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${table.columns.map((_, column) => escapeCell(cells[column] ?? "")).join(" | ")} |`;
  const rule = `| ${table.columns.map((_, column) => (column === 0 ? "---" : "---:")).join(" | ")} |`;
  const notes = (table.notes ?? []).map((note) => `\n${note}`);
  return [`### ${table.title}`, "", line(table.columns), rule, ...table.rows.map(line), ...notes].join("\n");
}

function columnWidths(table: Table): number[] {
  return table.columns.map((name, column) =>
    Math.max(name.length, ...table.rows.map((row) => (row[column] ?? "").length)),
  );
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|");
}

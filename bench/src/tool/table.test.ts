import { expect, test } from "vitest";
import { tableMarkdown, tableText } from "./table.js";

const table = {
  title: "Rates",
  columns: ["subject", "per second"],
  rows: [
    ["ours", "120,000"],
    ["a rival", "9"],
  ],
  notes: ["Higher is better."],
};

test("text columns are as wide as their widest cell, figures to the right", () => {
  expect(tableText(table)).toBe(
    [
      "Rates",
      "",
      "subject  per second",
      "───────  ──────────",
      "ours        120,000",
      "a rival           9",
      "Higher is better.",
    ].join("\n"),
  );
});

test("Markdown aligns figures to the right and keeps the notes", () => {
  expect(tableMarkdown(table).split("\n")).toEqual([
    "### Rates",
    "",
    "| subject | per second |",
    "| --- | ---: |",
    "| ours | 120,000 |",
    "| a rival | 9 |",
    "",
    "Higher is better.",
  ]);
});

test("a bar inside a cell does not break the Markdown row", () => {
  expect(tableMarkdown({ title: "t", columns: ["a"], rows: [["x|y"]] })).toContain("x\\|y");
});

test("a short row leaves its last cells empty", () => {
  expect(tableText({ title: "t", columns: ["a", "b"], rows: [["1"]] })).toContain("1");
});

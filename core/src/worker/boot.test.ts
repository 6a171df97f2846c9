/** What goes over a Worker's port: its own messages, and not those of user code. */
import { expect, it } from "vitest";
import { asProcessMessage, asThreadMessage } from "./boot.js";

const OWN = [
  { type: "ready", manifest: { app: { id: "a", options: {} }, steps: [] } },
  { type: "failed", error: { name: "Error", message: "no" } },
  { type: "log", level: "warn", fields: { worker: "async-1" }, message: "careful" },
];
const OF_PROCESSES = [
  { type: "records", records: [Buffer.from("x"), new Uint8Array(3)] },
  { type: "beat", beats: 1, heapKb: 2, isDirty: false },
];
const FOREIGN = [
  ...[undefined, 5, "ready", {}, [], { type: "ready" }, { type: "ready", manifest: {} }, { type: "failed" }],
  ...[{ type: "failed", error: null }, { type: "failed", error: { message: 5 } }, { type: "log" }],
  ...[
    { type: "log", level: "toString", fields: {}, message: "" },
    { type: "log", level: "info", message: "" },
  ],
  ...[{ type: "records", records: 5 }, { type: "records", records: [5] }, { type: "beat" }, { type: "hello" }],
];

it("takes its own messages as they are", () => {
  for (const message of OWN) {
    expect(asThreadMessage(message)).toBe(message);
    expect(asProcessMessage(message)).toBe(message);
  }
  for (const message of OF_PROCESSES) expect(asProcessMessage(message)).toBe(message);
  expect(asThreadMessage(null)).toBeNull();
});

it("takes nothing else", () => {
  for (const message of FOREIGN) {
    expect(asThreadMessage(message)).toBeUndefined();
    expect(asProcessMessage(message)).toBeUndefined();
  }
  expect(asProcessMessage(null)).toBeUndefined();
});

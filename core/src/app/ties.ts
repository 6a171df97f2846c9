/**
 * From options to ties: which key, line and gates an Operation gets, by what its Step and its call say.
 * Called by app.ts for those that have any; `key` functions run here, at the submission.
 */
import { hash } from "node:crypto";
import { createError, show, toRemoteError } from "../base/errors.js";
import { decodeEnvelope } from "../engine/envelope.js";
import { encodeOutcome } from "../engine/outcome.js";
import {
  type FlowTie,
  type FullMode,
  type FullTie,
  type GateTie,
  type KeyTie,
  type LapseTie,
  type SlotTie,
  shownKey,
} from "../engine/ties.js";
import type { MeetingTies } from "../queue/submission.js";
import type { KeyOf, StepDefinition } from "../workflow/step.js";
import type { ResolvedEnqueue } from "./options.js";

/** How long an idempotency key is remembered after its enqueue. */
const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;
/** How long a replaced Operation can still be found. */
const REPLACED_RETAIN_MS = 24 * 60 * 60 * 1000;
/** Beyond these, turns are no turns any more. */
const WEIGHT_MIN = 0.001;
const WEIGHT_MAX = 1000;
/** Longer names are stored as their SHA-256. */
const NAME_BYTES_MAX = 200;

/** Whether an Operation has ties at all. */
export function isBound(step: StepDefinition, resolved: ResolvedEnqueue | null): boolean {
  if (step.isTied || step.isTimed) return true;
  if (resolved === null) return false;
  return (resolved.idempotencyKey ?? resolved.expires ?? resolved.deadline) !== undefined;
}

/** The ties of one Operation; `key` is what `keyOf` said of it. Errors: MR_INVALID_OPTION for a key that is no text. */
export function tiesOf(
  step: StepDefinition,
  resolved: ResolvedEnqueue | null,
  input: unknown,
  { body }: { readonly body: Uint8Array },
  key: string | undefined,
): MeetingTies {
  const { order } = step;
  return {
    // A Step's own ties must all meet; a call's key alone is by itself; a time meets nobody's.
    meet: step.isTied ? step.name : resolved?.idempotencyKey === undefined ? null : `:${resolved.idempotencyKey}`,
    key: keyTie(step, resolved, key, body),
    line: order === null ? null : nameOf(step.name, textOf(order, input, `step ${step.name}.order`)),
    gates: [...slotTies(step, input), ...paceTies(step, input)],
    lapse: lapseTie(step, resolved),
    flow: flowTie(step, input),
  };
}

/** Which batch of its Step an Operation goes into; undefined for the one of all. Errors: like `tiesOf`. */
export function batchKeyOf({ name, batch }: StepDefinition, input: unknown): string | undefined {
  const key = batch?.key ?? null;
  return key === null ? undefined : textOf(key, input, `step ${name}.batch.key`);
}

function lapseTie(step: StepDefinition, resolved: ResolvedEnqueue | null): LapseTie | null {
  const startInMs = resolved?.expires ?? step.expiresMs;
  const endInMs = resolved?.deadline ?? step.deadlineMs;
  if (startInMs === null && endInMs === null) return null;
  const started = startInMs === null ? null : `started within ${startInMs} ms`;
  const ended = endInMs === null ? null : `ended within ${endInMs} ms`;
  const what = [started, ended].filter((part) => part !== null).join(", or not ");
  const value = encodeOutcome("", 0, 0, toRemoteError(createError("MR_EXPIRED", { what })), "error");
  return { startInMs, endInMs, retainMs: step.retainFailedMs, value };
}

function slotTies({ name: step, concurrency }: StepDefinition, input: unknown): GateTie[] {
  return concurrency.map(({ limit, key, onLimit }, i) => {
    const text = key === null ? "" : textOf(key, input, `step ${step}.concurrency.key`);
    const gate = { name: nameOf(`${step}#${i}`, text), slots: limit };
    return onLimit === "queue" ? gate : { ...gate, full: fullTie(onLimit, gate, text) };
  });
}

/** Most signs of a key that a reason shows, and most bytes of a reason: stores keep 255 of it. */
const REASON_KEY_MAX = 40;
const REASON_BYTES_MAX = 220;

function fullTie(mode: FullMode, { name, slots }: SlotTie, key: string): FullTie {
  const shown = key.length > REASON_KEY_MAX ? `${key.slice(0, REASON_KEY_MAX)}…` : key;
  const limit = `${name.slice(0, name.indexOf(":"))}${key === "" ? "" : ` for "${shown}"`}`;
  const reason =
    mode === "cancel_oldest"
      ? `a later one took its place: concurrency limit ${limit}, ${slots} at once, cancels the oldest`
      : `the concurrency limit ${limit}, ${slots} at once, was full`;
  const told = Buffer.from(reason).subarray(0, REASON_BYTES_MAX).toString();
  return { mode, value: encodeOutcome("", 0, 0, told, "reason") };
}

function paceTies({ name: step, rate }: StepDefinition, input: unknown): GateTie[] {
  return rate.map(({ everyMs, burst, key }, i) => {
    const text = key === null ? "" : textOf(key, input, `step ${step}.rate.key`);
    return { name: nameOf(`${step}@${i}`, text), everyMs, burst };
  });
}

/** Whether the gate of a name is one of slots or a pace, as the two above name them. */
export function gateKind(name: string): "limit" | "rate" {
  return /@\d+$/.test(name.slice(0, name.indexOf(":"))) ? "rate" : "limit";
}

function flowTie({ name: step, fair }: StepDefinition, input: unknown): FlowTie | null {
  if (fair === null) return null;
  const text = textOf(fair.key, input, `step ${step}.fair.key`);
  const weight = fair.weight === null ? 1 : fair.weight(text);
  if (typeof weight !== "number" || !(weight >= WEIGHT_MIN && weight <= WEIGHT_MAX)) {
    const problem = `expected a number from ${WEIGHT_MIN} to ${WEIGHT_MAX} as the weight of ${show(text)}, got ${show(weight)}`;
    throw createError("MR_INVALID_OPTION", { path: `step ${step}.fair.weight`, problem });
  }
  return { name: nameOf(step, text), weight };
}

/**
 * The key of one Operation, its call's or else its Step's; undefined if it has none. Asked once for each: it may be a
 * user's function, which is slow or says something else the next time. Errors: like `tiesOf`.
 */
export function keyOf(step: StepDefinition, resolved: ResolvedEnqueue | null, input: unknown): string | undefined {
  const { name, dedupe, debounce } = step;
  const callKey = resolved?.idempotencyKey as string | undefined; // a text, by its row
  const key = dedupe?.key ?? debounce?.key;
  if (callKey !== undefined || key === undefined) return callKey;
  return textOf(key, input, `step ${name}.${dedupe === null ? "debounce" : "dedupe"}.key`);
}

/** A key as searches know it: its hash if it is long. */
export function searchedKey(key: string): string {
  return shownKey(nameOf("", key));
}

function keyTie(
  step: StepDefinition,
  resolved: ResolvedEnqueue | null,
  key: string | undefined,
  body: Uint8Array,
): KeyTie | null {
  if (key === undefined) return null;
  if (resolved?.idempotencyKey !== undefined) {
    const name = nameOf("", key);
    return { name, mode: "match", windowMs: IDEMPOTENCY_MS, digest: digestOf(step.name, body), replaced: null };
  }
  const { dedupe, debounce } = step;
  const name = nameOf(step.name, key);
  const latestMs = debounce?.maxWaitMs ?? null;
  const mode = dedupe?.mode ?? (latestMs === null ? "replace" : "debounce");
  const replaced =
    mode === "replace" || mode === "debounce" ? { retainMs: REPLACED_RETAIN_MS, value: replacedReason() } : null;
  return {
    name,
    mode,
    windowMs: dedupe?.windowMs ?? null,
    digest: latestMs === null ? digestOf(step.name, body) : doubleOf(latestMs),
    replaced,
  };
}

function doubleOf(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

function replacedReason(): Uint8Array {
  return encodeOutcome("", 0, 0, "replaced by a later one of the same key", "reason");
}

/** Of Step and input alone: when and with what options it was enqueued does not matter. */
function digestOf(step: string, body: Uint8Array): Uint8Array {
  const payload = body.subarray(decodeEnvelope(body).payloadAt);
  return Buffer.from(hash("sha1", Buffer.concat([Buffer.from(`${step}\n`), payload]), "hex").slice(0, 16), "hex");
}

function textOf(key: KeyOf, input: unknown, path: string): string {
  const text = typeof key === "function" ? key(input) : valueAt(key, input);
  if (typeof text === "string") return text;
  if (typeof key === "string" && (typeof text === "number" || typeof text === "boolean")) return String(text);
  throw createError("MR_INVALID_OPTION", { path, problem: `expected a text as key, got ${show(text)}` });
}

/** The value at a dotted path: `customer.id`. */
function valueAt(path: string, input: unknown): unknown {
  let value = input;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name]; // its own, seen just now
  }
  return value;
}

/** The name of a key, line or gate in stores: a scope, and what users called it, or its hash if that is long. */
export function nameOf(scope: string, key: string): string {
  const name = `${scope}:${key}`;
  return Buffer.byteLength(name) <= NAME_BYTES_MAX ? name : `${scope}:${hash("sha256", key, "base64url")}`;
}

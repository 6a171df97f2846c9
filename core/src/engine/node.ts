/**
 * What the App's index of Nodes tells of one process (elsewhere: worker registry, process list): which machine it runs
 * on and what it does, as bytes that no store decodes.
 *
 * For people and for two checks: whether a Node's name is used by two machines, and whether a Segment's Node lives.
 * The times in it are wall-clock and decide nothing.
 */
import { encode } from "../base/codec.js";
import { decode } from "../base/codec-read.js";
import { isMillraceError } from "../base/errors.js";

/** What a process says of itself. */
export interface NodeAbout {
  readonly host: string;
  /** Tells machines (and containers) apart, also those that bear the same host name; equal for all processes of one. */
  readonly machine: string;
  readonly pid: number;
  /** By the process's own wall clock. */
  readonly startedAtMs: number;
  /** Queues it claims from. */
  readonly queues: readonly string[];
  /** Steps it can run. */
  readonly steps: readonly string[];
  /** Those of its Steps that have keys, an order, limits or turns: who enqueues by name alone would pass these by. */
  readonly tied: readonly string[];
  /** Attempts it runs at once, at most. */
  readonly slots: number;
}

/** Most names of Queues and of Steps that are told; the index is read whole. */
const NAMES_MAX = 100;
const BYTES_MAX = 60_000;

/** Encodes what a process says of itself. */
export function encodeAbout(about: NodeAbout): Uint8Array {
  const { queues, steps, tied } = about;
  const short = {
    ...{ ...about, queues: queues.slice(0, NAMES_MAX), steps: steps.slice(0, NAMES_MAX) },
    tied: tied.slice(0, NAMES_MAX),
  };
  return encode(short, "about", BYTES_MAX);
}

/** Whether a name is, or may be, among those a process told: with as many as are told at most, a missing one proves nothing. */
export function mayHave(told: readonly string[], name: string): boolean {
  return told.includes(name) || told.length >= NAMES_MAX;
}

/** Whether as many names were told as are told at most: there may be more. */
export function mayHaveMore(told: readonly string[]): boolean {
  return told.length >= NAMES_MAX;
}

/** Decodes it; null if the bytes are of another release, or nobody's. */
export function decodeAbout(bytes: Uint8Array): NodeAbout | null {
  try {
    const found = decode(bytes) as Partial<NodeAbout> | null; // checked below, as far as anything is decided by it
    if (typeof found !== "object" || found === null) return null;
    const { host, machine, pid } = found;
    if (typeof host !== "string" || typeof machine !== "string" || typeof pid !== "number") return null;
    return {
      host,
      machine,
      pid,
      startedAtMs: typeof found.startedAtMs === "number" ? found.startedAtMs : 0,
      queues: texts(found.queues),
      steps: texts(found.steps),
      tied: texts(found.tied),
      slots: typeof found.slots === "number" ? found.slots : 0,
    };
  } catch (error) {
    if (isMillraceError(error)) return null;
    throw error;
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/**
 * Reading Operations by id: the reads of a tick become one call per Segment.
 */
import type { LocalDot } from "../engine/lease.js";
import type { OperationRecord } from "../engine/operation.js";
import { type ResendContext, resend } from "./resend.js";
import { afterTick } from "./tick.js";

/** What a read finds. */
export type Found = OperationRecord | "pruned" | "missing";

interface Read {
  readonly dot: LocalDot;
  resolve(found: Found): void;
  reject(error: unknown): void;
}

const FIND_MAX = 1_000;

/** The reads of one process. */
export class Finder {
  readonly #context: ResendContext;
  readonly #timeoutMs: number;
  #bySegment = new Map<string, Read[]>();

  /** `timeoutMs`: how long a read waits for a store that is away. */
  constructor(context: ResendContext, timeoutMs: number) {
    this.#context = context;
    this.#timeoutMs = timeoutMs;
  }

  /** Reads one Operation. Errors: the store's, when it stays away for too long. */
  find(segment: string, dot: LocalDot): Promise<Found> {
    return new Promise((resolve, reject) => {
      if (this.#bySegment.size === 0) afterTick(() => this.#flush());
      const reads = this.#bySegment.get(segment);
      const read = { dot, resolve, reject };
      if (reads === undefined) this.#bySegment.set(segment, [read]);
      else reads.push(read);
    });
  }

  #flush(): void {
    const bySegment = this.#bySegment;
    this.#bySegment = new Map();
    for (const [segment, reads] of bySegment) {
      for (let at = 0; at < reads.length; at += FIND_MAX) void this.#read(segment, reads.slice(at, at + FIND_MAX));
    }
  }

  async #read(segment: string, reads: readonly Read[]): Promise<void> {
    const params = { dots: reads.map((read) => read.dot), wait: false };
    try {
      const { records } = await resend(
        this.#context,
        this.#timeoutMs,
        () => this.#context.store.find(segment, params),
        segment,
      );
      for (const [i, read] of reads.entries()) read.resolve(records[i] ?? "missing");
    } catch (error) {
      for (const read of reads) read.reject(error);
    }
  }
}

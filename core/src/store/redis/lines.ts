/**
 * Which connection takes a call: the one there is, or, in a Cluster (cluster.ts), that of the primary which holds the
 * key's slot. Used by redis-store.ts.
 */
import type { Link } from "./connection.js";

/** The connections for calls. */
export interface Lines {
  /** Whether calls about every key can be sent. */
  readonly isUp: boolean;
  /** Why not. */
  readonly reason: string;
  /** What the latest connection failed with, if another try gives the same. */
  readonly fatal: Error | null;
  /** Begins to connect. */
  open(): void;
  /** Ends all of them. */
  close(): void;
  /** The connection for calls about a key; null where nobody knows who holds it. */
  of(key: string): Link | null;
  /** Resolves when calls about a key can be sent. Errors: MR_STORE_UNAVAILABLE after `close`. */
  ready(key: string): Promise<void>;
  /** Takes note of a refusal; true: another server is meant, send it again there. */
  refused(message: string): boolean;
  /** Every connection there is. */
  all(): readonly Link[];
}

/** One connection for all calls. */
export class SingleLine implements Lines {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  get isUp(): boolean {
    return this.#link.isUp;
  }

  get reason(): string {
    return this.#link.reason;
  }

  get fatal(): Error | null {
    return this.#link.fatal;
  }

  open(): void {
    this.#link.open();
  }

  close(): void {
    this.#link.close();
  }

  of(): Link {
    return this.#link;
  }

  ready(): Promise<void> {
    return this.#link.ready();
  }

  refused(): boolean {
    return false;
  }

  all(): readonly Link[] {
    return [this.#link];
  }
}

/** A value of a setting on its way from its source to the one that counts, and what can be wrong with one. */
import type { ConfigKey } from "./options.js";

/** Where a value came from. */
export interface Origin {
  readonly kind: "flag" | "env" | "file" | "default";
  /** As people read it: `flag --store`, `env REDIS_URL`, `file millrace.config.yaml:12`, `default`. */
  readonly text: string;
}

/** One value for a key, from one source; `text` values are still to be read by the key's type. */
export interface Given {
  readonly key: ConfigKey;
  readonly value: unknown;
  readonly isText: boolean;
  readonly origin: Origin;
}

/** What is wrong with the configuration, at one place. */
export interface Problem {
  readonly origin: string;
  readonly problem: string;
  /** What was probably meant. */
  readonly suggestion: string | null;
}

/**
 * Bytes in tests: made from text, and shown as text, so that a Buffer and a Uint8Array of equal content are equal
 * and a failed comparison can be read.
 */

/** The bytes of a text, one per character: every byte value can be written. */
export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** What `plain` answers: the same value with every byte array as text and every `undefined` field left out. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** Rewrites a value for comparing: bytes become latin-1 text behind a mark, Maps become sorted entries. */
export function plain(value: unknown): Plain {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string")
    return value;
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `≡${Buffer.from(value).toString("latin1")}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Set) return [...value].map(plain);
  if (value instanceof Map) return [...value].map(([key, inner]) => [plain(key), plain(inner)]);
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
  }
  throw new Error(`a ${typeof value} cannot be compared`);
}

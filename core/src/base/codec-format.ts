/**
 * What both directions of the codec agree on: which values a payload holds, how deep, and the few MessagePack
 * extension types for what MessagePack has no word for.
 */

/** What a payload may be made of. */
export type Payload =
  | null
  | boolean
  | number
  | string
  | bigint
  | Date
  | Uint8Array
  | readonly (Payload | undefined)[]
  | { readonly [key: string]: Payload | undefined };

/** Deepest nesting of arrays and objects in a payload. */
export const PAYLOAD_DEPTH_MAX = 512;

/** Our extension types: date is a float64 of milliseconds, bigint a sign byte and its magnitude, big-endian. */
export const EXTENSION = { date: 1, bigint: 2, undefined: 3, utf16: 4 } as const;

/** Where a float64 is taken apart into bytes, and put together. */
export const float = new Float64Array(1);

/** The eight bytes of `float`, in the order of this machine. */
export const floatBytes = new Uint8Array(float.buffer);

/** Whether this machine's order is the reverse of MessagePack's. */
export const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Chance, injected. The only file in core that draws random numbers, so that a run can be repeated from a seed.
 * Incarnations and tokens need the system's; jitter and simulations take either.
 */
import { randomBytes } from "node:crypto";

/** A source of random values. */
export interface Random {
  /** A number in 0 (included) … 1 (excluded). */
  next(): number;
  /** `count` fresh bytes. */
  bytes(count: number): Uint8Array;
  /** `bits` random bits as lower-case base36 of fixed length: 128 bits are 25 characters. */
  text(bits: number): string;
}

/** The operating system's generator, fit for secrets. */
export const systemRandom: Random = {
  next: () => randomBytes(4).readUInt32LE() / 2 ** 32,
  bytes: (count) => new Uint8Array(randomBytes(count)),
  text: (bits) => base36(randomBytes(Math.ceil(bits / 8)), bits),
};

/**
 * A repeatable generator: the same seed gives the same values for ever. Never for secrets.
 *
 * Source: xoshiro128** 1.1 by Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c; its state comes
 * from the seed through the 32-bit finaliser of MurmurHash3 over a Weyl sequence, so that near seeds differ.
 */
export function seededRandom(seed: number): Random {
  let weyl = Math.trunc(seed) >>> 0;
  const scatter = (): number => {
    weyl = (weyl + 0x9e3779b9) >>> 0;
    let word = Math.imul(weyl ^ (weyl >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return word ^ (word >>> 16);
  };
  let a = scatter();
  let b = scatter();
  let c = scatter();
  let d = scatter();

  const word = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => word() >>> 24);
  return {
    next: () => word() / 2 ** 32,
    bytes,
    text: (bits) => base36(bytes(Math.ceil(bits / 8)), bits),
  };
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function base36(bytes: Uint8Array, bits: number): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  const length = Math.ceil(bits / Math.log2(36));
  return BigInt.asUintN(bits, value).toString(36).padStart(length, "0");
}

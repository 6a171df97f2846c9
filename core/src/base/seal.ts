/**
 * Seals payloads (elsewhere: payload codec, envelope encryption): compresses and encrypts what stands behind the head of
 * a stored record, so that only who has a key reads it, and only where it was put.
 *
 *   ┌ head ┬ 0xc1 ┬ 1 B ───┬ if encrypted: 1 B · n B ──┬ 12 B ──┬ 16 B ┬ rest ─────────────────────────────────┐
 *   │ as   │      │ flags  │ length n · name of the key │ nonce  │ tag  │ payload; if compressed 4 B of its size │
 *   │ ever │      │        │                            │        │      │ and a raw deflate stream, encrypted    │
 *   └──────┴──────┴────────┴────────────────────────────┴────────┴──────┴────────────────────────────────────────┘
 *
 * 0xc1 is the one byte MessagePack never begins a value with, so what is not sealed costs nothing and stays readable.
 * AES-256-GCM under a key of each record's own (HMAC of its place); head and place are authenticated, so neither can be
 * changed nor the payload moved. The nonce is drawn from the bytes themselves: the same call, sent again, is the same.
 */
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { PAYLOAD_BYTES_MAX } from "./codec.js";
import { createError } from "./errors.js";

/** A key with its name. */
export interface SealKey {
  readonly name: string;
  readonly secret: Uint8Array;
}

/** What a Sealer does. */
export interface SealerOptions {
  /** The first one seals, all of them open; none: nothing is encrypted. */
  readonly keys: readonly SealKey[];
  /** Payloads of so many bytes or more are compressed where that helps; null: none. */
  readonly compressFrom: number | null;
}

const MARK = 0xc1;
const COMPRESSED = 1;
const ENCRYPTED = 2;
/** Stands for a value that its store keeps apart (store/redis/offload.ts): it is sealed there. */
const ELSEWHERE = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** What is saved must be worth the work at the other end: an eighth. */
const WORTH = 7 / 8;
/** Speed counts more than the last percent: this runs on the thread that talks to the store. */
const DEFLATE_LEVEL = 1;

/**
 * Reads keys, each `NAME:KEY` with 32 bytes in base64 or hexadecimal. `path` names the option in messages, which never
 * show a key. Errors: MR_INVALID_OPTION.
 */
export function parseSealKeys(texts: readonly string[], path: string): readonly SealKey[] {
  const keys = texts.map((text, i): SealKey => {
    const [, name = "", key = ""] = /^([A-Za-z0-9._-]{1,32}):(.*)$/.exec(text) ?? [];
    const secret = Buffer.from(key, /^[0-9a-f]{64}$/i.test(key) ? "hex" : "base64");
    if (name === "" || secret.length !== KEY_BYTES) {
      const problem =
        "expected NAME:KEY, the name of 1 to 32 of A-Z a-z 0-9 . _ -, the key 32 bytes in base64 or hexadecimal";
      throw createError("MR_INVALID_OPTION", { path: `${path}[${i}]`, problem });
    }
    return { name, secret };
  });
  if (new Set(keys.map(({ name }) => name)).size < keys.length) {
    throw createError("MR_INVALID_OPTION", { path, problem: "two keys have the same name" });
  }
  return keys;
}

/** Whether a payload that begins here is sealed. */
export function isSealed(bytes: Uint8Array, payloadAt: number): boolean {
  return bytes[payloadAt] === MARK;
}

/** Seals and opens the payloads of one App. */
export class Sealer {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #writer: SealKey | null;
  readonly #compressFrom: number;

  constructor(options: SealerOptions) {
    this.#keys = new Map(options.keys.map(({ name, secret }) => [name, secret]));
    this.#writer = options.keys[0] ?? null;
    this.#compressFrom = options.compressFrom ?? Number.POSITIVE_INFINITY;
  }

  /** Seals what stands from `payloadAt` on; `place` is what it belongs to. Returns `bytes` if nothing is to be done. */
  seal(bytes: Uint8Array, payloadAt: number, place: string): Uint8Array {
    const payload = bytes.subarray(payloadAt);
    const packed = payload.length >= this.#compressFrom ? compressed(payload) : null;
    if (this.#writer === null) {
      if (packed === null) return bytes;
      return Buffer.concat([bytes.subarray(0, payloadAt), Buffer.from([MARK, COMPRESSED]), packed]);
    }
    const { name, secret } = this.#writer;
    const flags = ENCRYPTED | (packed === null ? 0 : COMPRESSED);
    const mark = Buffer.from([MARK, flags, name.length, ...Buffer.from(name, "latin1")]);
    const known = authenticated(place, bytes.subarray(0, payloadAt), mark);
    const plain = packed ?? payload;
    const key = keyAt(secret, place);
    const nonce = createHmac("sha256", key)
      .update("nonce\0")
      .update(known)
      .update(plain)
      .digest()
      .subarray(0, NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    cipher.setAAD(known);
    const hidden = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([bytes.subarray(0, payloadAt), mark, nonce, cipher.getAuthTag(), hidden]);
  }

  /**
   * Gives back what was sealed at this place; what is not sealed is returned as it is.
   *
   * Errors: MR_SEALED when its key is not here, or it was changed or moved.
   */
  open(bytes: Uint8Array, payloadAt: number, place: string): Uint8Array {
    if (!isSealed(bytes, payloadAt)) return bytes;
    if (bytes[payloadAt + 1] === ELSEWHERE) return bytes;
    const head = bytes.subarray(0, payloadAt);
    const flags = bytes[payloadAt + 1] ?? 0;
    if (flags === 0 || flags > (COMPRESSED | ENCRYPTED)) throw refusal(place, "it was sealed by another release");
    let payload = bytes.subarray(payloadAt + 2);
    if ((flags & ENCRYPTED) !== 0) payload = this.#decrypt(bytes, payloadAt, place);
    if ((flags & COMPRESSED) !== 0) payload = expanded(payload, place);
    return Buffer.concat([head, payload]);
  }

  #decrypt(bytes: Uint8Array, payloadAt: number, place: string): Uint8Array {
    const nonceAt = payloadAt + 3 + (bytes[payloadAt + 2] ?? 0);
    const tagAt = nonceAt + NONCE_BYTES;
    const hiddenAt = tagAt + TAG_BYTES;
    if (bytes.length < hiddenAt) throw refusal(place, "it is cut short");
    const name = Buffer.from(bytes.subarray(payloadAt + 3, nonceAt)).toString("latin1");
    const secret = this.#keys.get(name);
    if (secret === undefined) throw refusal(place, `no key called ${JSON.stringify(name)} is known here`);
    try {
      const decipher = createDecipheriv("aes-256-gcm", keyAt(secret, place), bytes.subarray(nonceAt, tagAt));
      decipher.setAAD(authenticated(place, bytes.subarray(0, payloadAt), bytes.subarray(payloadAt, nonceAt)));
      decipher.setAuthTag(bytes.subarray(tagAt, hiddenAt));
      return Buffer.concat([decipher.update(bytes.subarray(hiddenAt)), decipher.final()]);
    } catch {
      throw refusal(place, "it was changed, belongs elsewhere, or was sealed by another key of this name");
    }
  }
}

/** A key for each place: what is known of one opens no other, and no key meets too many nonces. */
function keyAt(secret: Uint8Array, place: string): Buffer {
  return createHmac("sha256", secret).update("millrace payload\0").update(place).digest();
}

/** Lengths first, so that no two triples read the same. */
function authenticated(place: string, head: Uint8Array, mark: Uint8Array): Buffer {
  const where = Buffer.from(place);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(where.length, 0);
  lengths.writeUInt32BE(head.length, 4);
  return Buffer.concat([lengths, where, head, mark]);
}

function compressed(payload: Uint8Array): Buffer | null {
  const deflated = deflateRawSync(payload, { level: DEFLATE_LEVEL });
  if (deflated.length > payload.length * WORTH) return null;
  const size = Buffer.alloc(4);
  size.writeUInt32BE(payload.length, 0);
  return Buffer.concat([size, deflated]);
}

/** Never more than it says, nor than a payload may have: few bytes could become very many. */
function expanded(packed: Uint8Array, place: string): Buffer {
  const size = packed.length < 4 ? 0 : Buffer.from(packed.subarray(0, 4)).readUInt32BE(0);
  if (size === 0 || size > PAYLOAD_BYTES_MAX) throw refusal(place, "its size is not possible");
  try {
    const payload = inflateRawSync(packed.subarray(4), { maxOutputLength: size });
    if (payload.length === size) return payload;
  } catch {
    // Told below.
  }
  throw refusal(place, "it cannot be expanded");
}

function refusal(place: string, reason: string): Error {
  return createError("MR_SEALED", { what: place.split("\0").at(-1) ?? "", reason });
}

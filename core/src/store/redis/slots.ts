/**
 * The 16,384 slots of a Cluster: which one a key belongs to, and what a server's answers say about who holds them.
 * Pure; used by cluster.ts.
 */
import type { Reply } from "./connection.js";

/** How many slots a Cluster has. */
export const SLOTS = 16_384;

/** Host and port of a server as the Cluster spells them; an empty host is that of the server which says so. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Consecutive slots with one primary. */
export interface SlotRange extends Place {
  readonly first: number;
  readonly last: number;
}

/** The slot of a key: only what stands between the first braces counts, if there is anything. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  return crc16(Buffer.from(tag)) % SLOTS;
}

/** Reads an answer to CLUSTER SLOTS; what cannot be read is left out. */
export function rangesOf(reply: Reply): SlotRange[] {
  if (!Array.isArray(reply)) return [];
  return reply.flatMap((range: Reply) => {
    const [first, last, primary] = Array.isArray(range) ? range : [];
    const [host, port] = Array.isArray(primary) ? primary : [];
    if (typeof first !== "number" || typeof last !== "number" || typeof port !== "number") return [];
    return [{ first, last, host: host === null || host === undefined ? "" : String(host), port }];
  });
}

/** Where `MOVED <slot> <host>:<port>` sends us; null for other texts. */
export function movedTo(message: string): (Place & { readonly slot: number }) | null {
  const [, slot = "", host = "", port = ""] = /^MOVED (\d+) (.*):(\d+)$/.exec(message) ?? [];
  return port === "" ? null : { slot: Number(slot), host, port: Number(port) };
}

const POLYNOMIAL = 0x1021;

/** CRC-16 as XMODEM has it: what the Cluster specification asks for. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL;
    crc &= 0xffff;
  }
  return crc;
}

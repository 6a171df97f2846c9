/**
 * Messages on the App's channels → events: bells and cancel marks for all, outcomes and progress for those who wait.
 *
 * The layouts are drawn in lua/_tell.lua. Pure; a message that is no message of ours is passed over, for anybody may
 * publish on a channel. Called by redis-store.ts.
 */
import type { StoreListener } from "../../engine/store.js";
import { idOf, stateOf } from "./answers.js";

const BELL = 0x62;
const HELP = 0x68;
const PRIORITY_BELL = 0x42;
const PRIORITY_HELP = 0x48;
const SETTLED = 0x73;
const PROGRESSED = 0x70;
const MARKED = 0x6d;
const DUE = 0x64;
const TWO_32 = 2 ** 32;

/** Tells a listener what came on the bell channel of the App, or of a Segment that is attended here. */
export function deliverBell(
  payload: Buffer,
  listener: Pick<StoreListener, "bell" | "due" | "marked">,
  isAttended: boolean,
): void {
  if (payload.length < 3) return;
  const nameAt = 3 + payload.readUInt16BE(1);
  const segment = payload.toString("utf8", 3, nameAt);
  const cause = isAttended ? "attended" : "unattended";
  if (payload[0] === PRIORITY_BELL || payload[0] === PRIORITY_HELP) {
    if (payload.length < nameAt + 3) return; // a priority and a name
    const queue = payload.toString("utf8", nameAt + 2);
    listener.bell(segment, queue, payload[0] === PRIORITY_HELP ? "help" : cause, payload.readInt16BE(nameAt));
    return;
  }
  const name = payload.toString("utf8", nameAt);
  if (name === "") return;
  if (payload[0] === BELL) listener.bell(segment, name, cause, 0);
  else if (payload[0] === HELP) listener.bell(segment, name, "help", 0);
  else if (payload[0] === MARKED) listener.marked(segment, name);
  else if (payload[0] === DUE && Number(name) >= 0) listener.due(segment, Number(name));
}

/** The message that calls for help for a Queue where this is the highest priority that waits. */
export function helpMessage(segment: string, queue: string, priority: number): Buffer {
  const name = Buffer.from(segment);
  const head = Buffer.from([priority === 0 ? HELP : PRIORITY_HELP, name.length >> 8, name.length & 0xff]);
  const rank = priority === 0 ? [] : [Buffer.from([(priority >> 8) & 0xff, priority & 0xff])];
  return Buffer.concat([head, name, ...rank, Buffer.from(queue)]);
}

/** Tells a listener what came on the reply channel. */
export function deliverReplies(payload: Buffer, listener: Pick<StoreListener, "settled" | "progressed">): void {
  if (payload.length < 2) return;
  let at = 2 + payload.readUInt16BE(0);
  const segment = payload.toString("utf8", 2, at);
  while (at + 7 <= payload.length) {
    const kind = payload[at];
    const nameEnd = at + 2 + payload.readUInt8(at + 1);
    const laneName = payload.toString("latin1", at + 2, nameEnd);
    at = nameEnd + 5;
    const lengthAt = kind === SETTLED ? at + 15 : at;
    if (lengthAt + 4 > payload.length) return;
    const end = lengthAt + 4 + payload.readUInt32BE(lengthAt);
    if (end > payload.length) return;
    const counter = payload.readUInt8(nameEnd) * TWO_32 + payload.readUInt32BE(nameEnd + 1);
    const id = idOf(segment, { laneName, counter });
    const value = payload.subarray(lengthAt + 4, end);
    if (kind === SETTLED) {
      listener.settled({
        id,
        state: stateOf(payload.toString("latin1", at, at + 1)),
        generation: payload.readUInt32BE(at + 1),
        attempt: payload.readUInt32BE(at + 5),
        finishedAtMs: payload.readUIntBE(at + 9, 6),
        value,
      });
    } else if (kind === PROGRESSED) {
      listener.progressed(id, value);
    } else {
      return;
    }
    at = end;
  }
}

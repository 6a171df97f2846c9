/**
 * The wire of a process Worker: the records of a tick go over the IPC channel as one message.
 */
import { afterTick } from "../base/tick.js";
import type { RecordsMessage } from "./boot.js";
import type { Wire } from "./wire.js";

/** Sends records by IPC. */
export class IpcWire implements Wire {
  target: Buffer = NO_BYTES;
  readonly #send: (message: RecordsMessage, sent?: () => void) => void;
  #records: Buffer[] = [];

  /** `send` calls `sent` when the message is on its way, or cannot be sent any more. */
  constructor(send: (message: RecordsMessage, sent?: () => void) => void) {
    this.#send = send;
  }

  begin(bytes: number): number {
    this.target = Buffer.allocUnsafe(bytes);
    return 0;
  }

  end(bytes: number): void {
    this.#records.push(this.target.subarray(0, bytes));
    if (this.#records.length === 1) afterTick(() => this.flush());
  }

  /** Sends what was written. `sent` is called in any case: all that was written is on its way. */
  flush(sent?: () => void): void {
    const records = this.#records;
    this.#records = [];
    if (records.length > 0 || sent !== undefined) this.#send({ type: "records", records }, sent);
  }
}

const NO_BYTES = Buffer.alloc(0);

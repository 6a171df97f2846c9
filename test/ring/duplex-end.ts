/** One end of a duplex as an event loop drives it: everything there is in one turn, then asleep until rung. */
import type { DuplexMemory } from "@millrace/core/internal";
import type { Ring } from "./door.js";

/** Sends and receives whole records. */
export class DuplexEnd {
  readonly duplex: InstanceType<Ring["Duplex"]>;
  readonly #writer: InstanceType<Ring["FrameWriter"]>;
  readonly #reader: InstanceType<Ring["FrameReader"]>;
  readonly #receive: (record: Uint8Array) => void;

  constructor(
    ring: Ring,
    side: "foreman" | "worker",
    memory: DuplexMemory,
    port: { postMessage(value: unknown): void },
    receive: (record: Uint8Array) => void,
  ) {
    this.duplex = new ring.Duplex(side, memory, port);
    this.#writer = new ring.FrameWriter(this.duplex.producer);
    this.#reader = new ring.FrameReader(this.duplex.consumer);
    this.#receive = receive;
  }

  /** Writes a record; it leaves with the next turn. */
  send(record: Uint8Array): void {
    const at = this.#writer.begin(record.length);
    this.#writer.target.set(record, at);
    this.#writer.end(record.length);
  }

  /** Moves what can be moved both ways, until there is nothing to do but wait to be rung. */
  turn(): void {
    this.duplex.wake();
    do {
      for (let length = this.#reader.next(); length >= 0; length = this.#reader.next()) {
        this.#receive(
          Uint8Array.prototype.slice.call(this.#reader.source, this.#reader.offset, this.#reader.offset + length),
        );
      }
      this.duplex.release();
      this.#writer.flush();
      this.duplex.publish();
    } while (!this.duplex.listen(this.#writer.waitingBytes > 0));
  }
}

/**
 * The way of a Worker's records to the Foreman (elsewhere: transport, channel): over a ring from a thread (ring-wire.ts),
 * over IPC from a child process (ipc-wire.ts). What the records mean is protocol.ts' affair.
 */

/** Takes records in order; they leave together at the end of the tick. */
export interface Wire {
  /** Where to write the record that `begin` opened. */
  readonly target: Buffer;
  /** Opens a record of up to `bytes`: write it into `target` from the offset returned on, then call `end`. One at a time. */
  begin(bytes: number): number;
  /** Ends the record with its true length. */
  end(bytes: number): void;
}

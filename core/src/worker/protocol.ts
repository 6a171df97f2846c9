/**
 * What travels over the rings between the Foreman and a Worker thread: kinds of records and their fields, for both
 * sides. All numbers little-endian; `bytes` runs to the end of the record.
 *
 *   down (Foreman → Worker)                              up (Worker → Foreman)
 *   TEXT    id:4 · ascii                                 COMPLETED seat:4 · outcome bytes
 *   RUN     seat:4 token:8f counter:8f attempt:4         FAILED    abort:1@1 seat:4 retryInMs:8f(NaN none) · outcome
 *           generation:4 segment:4 lane:4 · body         RELEASED  abort:1@1 seat:4 delayMs:8f (NaN: at once, in front)
 *   ABORT   kind:1@1 seat:4                              PROGRESS  seat:4 · codec bytes
 *   ANSWER  how:1@1 request:4 · codec bytes              ENQUEUE   due:1@1 request:4 dueMs:8f priority:4 name:1 ties:2@22
 *                                                                  · queue · codec bytes of ties if there are any · body
 *   SLOTS   slots:4                                      CALL      name:1@1 request:4 · method · codec bytes
 *   STOP    (drain, then end)                            END_CALL  request:4  (no more answers are wanted)
 *   BATCH   count:4  (the next so many RUN share a call)
 *
 * Byte 0 is the kind; small fields sit at byte 1; the first 4-byte field at byte 4, the rest follow. RUN names its
 * Segment and lane by the id of an earlier TEXT. A *seat* is the Operation's place in seats.ts; an Operation's outcome
 * frees it. Rare and large-grained things (ready, manifest, log lines, end) go by the MessagePort instead.
 */

/** Kinds of records, Foreman → Worker. */
export const TEXT = 1;
export const RUN = 2;
export const ABORT = 3;
export const ANSWER = 4;
export const SLOTS = 5;
export const STOP = 6;
export const BATCH = 7;

/** Kinds of records, Worker → Foreman. */
export const COMPLETED = 1;
export const FAILED = 2;
export const RELEASED = 3;
export const PROGRESS = 4;
export const ENQUEUE = 5;
export const CALL = 6;
export const END_CALL = 7;

/** Where the variable part of each record begins. */
export const TEXT_AT = 8;
export const RUN_AT = 40;
export const ANSWER_AT = 8;
export const COMPLETED_AT = 8;
export const FAILED_AT = 16;
export const PROGRESS_AT = 8;
export const ENQUEUE_AT = 24;
export const CALL_AT = 8;

/** How a request is answered: its value · an error record · one of several, more may come. */
export const ANSWER_OK = 0;
export const ANSWER_ERROR = 1;
export const ANSWER_EVENT = 2;

/** `due` of an ENQUEUE: now · in dueMs · at dueMs. */
export const DUE_NOW = 0;
export const DUE_IN = 1;
export const DUE_AT = 2;

/** Abort kinds by their code, on the wire; index 0 is "none". */
export const ABORT_CODES = [null, "cancel", "timeout", "drain", "lease_lost"] as const;

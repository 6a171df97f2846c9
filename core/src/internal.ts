/**
 * The door for tests, benches and the server: the engine's contract and the stores. No promise of stability.
 */

export { makeStore, type OpenStoreOptions } from "./app/open-store.js";
export { appTable, enqueueTable } from "./app/options.js";
export { type Clock, systemClock, type Timer } from "./base/clock.js";
export { type ErrorRow, errorTable } from "./base/errors.js";
export { silentLogger } from "./base/log.js";
export { describeRow, type OptionRow, type OptionTable } from "./base/options.js";
export { systemRandom } from "./base/random.js";
export type { Address, Held, LocalDot } from "./engine/lease.js";
export { FULL_PATH_DIGITS, ID_MEMORY_MS } from "./engine/lease.js";
export { compareStatus, mergeStatus, type StatusCopy } from "./engine/merge.js";
export type { Move, OperationRecord, OperationState, TerminalState } from "./engine/operation.js";
export { isTerminal, MOVES, OPERATION_STATES, TERMINAL_STATES } from "./engine/operation.js";
export type { Durability, Store, StoreListener } from "./engine/store.js";
export type * from "./engine/transitions.js";
export { TRANSITION_NAMES } from "./engine/transitions.js";
export { EmbeddedStore, type EmbeddedStoreOptions } from "./store/embedded/embedded-store.js";
export { apply, newSegment, type SegmentState, takeEvents } from "./store/embedded/machine.js";
export { MemoryStore, type MemoryStoreOptions } from "./store/embedded/memory-store.js";
export { type SegmentSnapshot, snapshot } from "./store/embedded/snapshot.js";
export { RedisStore, type RedisStoreOptions } from "./store/redis/redis-store.js";
export { stepTable } from "./workflow/step.js";

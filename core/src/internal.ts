/**
 * The door for tests, benches and the server: the engine's contract and the stores. No promise of stability.
 */

export {
  type ForemanTuning,
  type OpenForemanOptions,
  RunningForeman,
} from "./app/foreman-app.js";
export { makeStore, type OpenStoreOptions } from "./app/open-store.js";
export { appTable, enqueueTable } from "./app/options.js";
export { SETTLE_IN } from "./app.js";
export { type ScoutOptions, scout } from "./app/scout.js";
export { type Clock, systemClock, type Timer } from "./base/clock.js";
export { NODE_ID_PATTERN, resolveNodeId } from "./base/env.js";
export {
  createError,
  type ErrorExtras,
  type ErrorRow,
  errorFactory,
  errorTable,
  MillraceError,
  type SlotValues,
  toRemoteError,
} from "./base/errors.js";
export { silentLogger } from "./base/log.js";
export { decode, encode } from "./base/codec.js";
export { isName } from "./base/names.js";
export {
  describeRow,
  nearest,
  type OptionRow,
  type OptionTable,
  type Resolved,
  resolveOptions,
} from "./base/options.js";
export { seededRandom, systemRandom } from "./base/random.js";
export type { Address, Held, LocalDot } from "./engine/lease.js";
export { FULL_PATH_DIGITS, ID_MEMORY_MS } from "./engine/lease.js";
export { compareStatus, mergeStatus, type StatusCopy } from "./engine/merge.js";
export type { Move, OperationRecord, OperationState, TerminalState } from "./engine/operation.js";
export { isTerminal, MOVES, OPERATION_STATES, TERMINAL_STATES } from "./engine/operation.js";
export { encodeEnvelope } from "./engine/envelope.js";
export { decodeOutcome } from "./engine/outcome.js";
export type { Durability, Store, StoreListener } from "./engine/store.js";
export type * from "./engine/transitions.js";
export { TRANSITION_NAMES } from "./engine/transitions.js";
export { createDuplexMemory, Duplex, type DuplexMemory } from "./ring/duplex.js";
export { FrameReader, FrameWriter } from "./ring/frame.js";
export { ASK, createRingBuffer, frameBytes, HEAD, HEADER_BYTES, ROOM, ROOM_ASK, TAIL, WAKE } from "./ring/layout.js";
export { Consumer, Producer } from "./ring/ring.js";
export { type WaitEnd, waitForFrame, waitForRoom } from "./ring/wait.js";
export type { WorkerView } from "./foreman/crew.js";
export { FOREMAN_TIMES, type ForemanTimes } from "./foreman/foreman.js";
export { type Mix, mixText, type PerPool, placesOf, SLOTS_MAX } from "./foreman/mix/mix.js";
export { beginOptimiser, step } from "./foreman/mix/optimiser.js";
export { NO_PINS } from "./foreman/mix/pins.js";
export { type MixOptions, mixTable, resolveMixSettings } from "./foreman/mix/settings.js";
export type { MixPlan } from "./foreman/mix/state.js";
export { type MixSample, NOBODY, type PoolSample } from "./foreman/mix/telemetry.js";
export { EmbeddedStore, type EmbeddedStoreOptions } from "./store/embedded/embedded-store.js";
export { apply, newSegment, type SegmentState, takeEvents } from "./store/embedded/machine.js";
export { MemoryStore, type MemoryStoreOptions } from "./store/embedded/memory-store.js";
export { type SegmentSnapshot, snapshot } from "./store/embedded/snapshot.js";
export { examineRedis, type RedisReport } from "./store/redis/examine.js";
export { RedisStore, type RedisStoreOptions } from "./store/redis/redis-store.js";
export { type Asker, CallDesk, type DeskServices } from "./foreman/call-desk.js";
export {
  PROCESS_ENTRY,
  type ProcessBoot,
  type ProcessUpMessage,
  THREAD_ENTRY,
  type ThreadMessage,
  type WorkerBoot,
} from "./worker/boot.js";
export { type Manifest, type StepRow, stepFromManifest } from "./worker/manifest.js";
export { ABANDONED, BEATS, BEGUN, CURRENT, createSeatsBuffer, ENDED, HEAP_KB, PHASE, Seats } from "./worker/seats.js";
export { stepTable } from "./workflow/step.js";

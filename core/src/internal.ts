/**
 * The door for tests and benches: the engine's contract and the stores. No promise of stability.
 */

export { countsTable, listTable, pageTable } from "./app/inspect.js";
export { bulkTable } from "./app/inspect-bulk.js";
export { fsckTable } from "./app/inspect-fsck.js";
export { stepsTable } from "./app/inspect-steps.js";
export { limitTable, resetTable } from "./app/limits.js";
export { makeStore, type OpenStoreOptions } from "./app/open-store.js";
export { appTable, enqueueTable } from "./app/options.js";
export { unregisterTable } from "./app/step-registry.js";
export { FOREMAN_VIEW, SETTLE_IN } from "./app.js";
export { type Clock, systemClock, type Timer } from "./base/clock.js";
export { decode, encode } from "./base/codec.js";
export { createError, type ErrorRow, errorTable } from "./base/errors.js";
export { silentLogger } from "./base/log.js";
export { describeRow, type OptionRow, type OptionTable } from "./base/options.js";
export { seededRandom, systemRandom } from "./base/random.js";
export type { Durability, DurabilityLevel, Secured, StoreDurability } from "./engine/durability.js";
export { encodeEnvelope } from "./engine/envelope.js";
export { type CheckFinding, FINDINGS, type FindingKind } from "./engine/findings.js";
export type { Address, Held, LocalDot } from "./engine/lease.js";
export { FULL_PATH_DIGITS, ID_MEMORY_MS, isTiedLane, TIED_LANE } from "./engine/lease.js";
export { compareStatus, mergeStatus, type StatusCopy } from "./engine/merge.js";
export { decodeAbout, type NodeAbout } from "./engine/node.js";
export type { Move, OperationRecord, OperationState, TerminalState } from "./engine/operation.js";
export { isTerminal, MOVES, OPERATION_STATES, TERMINAL_STATES } from "./engine/operation.js";
export { decodeOutcome, encodeOutcome } from "./engine/outcome.js";
export type { BellCause, RestoredCause, Store, StoreListener } from "./engine/store.js";
export type { FullMode, GateTie, KeyMode, KeyTie, LapseTie, PaceTie, SlotTie, Ties } from "./engine/ties.js";
export { SEGMENT_PACE, SEGMENT_REST, SEGMENT_SLOTS } from "./engine/ties.js";
export type * from "./engine/transitions.js";
export { LISTED_STATES, TRANSITION_NAMES } from "./engine/transitions.js";
export { type Asker, CallDesk, type DeskServices } from "./foreman/call-desk.js";
export { FOREMAN_TIMES, type ForemanTimes } from "./foreman/foreman.js";
export { Given } from "./foreman/given.js";
export { Member, type MemberEvents } from "./foreman/member.js";
export { type Mix, mixText, type PerPool, placesOf, SLOTS_MAX } from "./foreman/mix/mix.js";
export { beginOptimiser, step } from "./foreman/mix/optimiser.js";
export { NO_PINS } from "./foreman/mix/pins.js";
export { DEFAULT_MIX_SETTINGS, type MixOptions, mixTable, resolveMixSettings } from "./foreman/mix/settings.js";
export type { MixPlan } from "./foreman/mix/state.js";
export { type MixSample, NOBODY, type PoolSample } from "./foreman/mix/telemetry.js";
export { ThreadLine } from "./foreman/thread-member.js";
export { parseFilter } from "./queue/filter.js";
export { isFit } from "./queue/filter-match.js";
export { HelpCalls } from "./queue/help-calls.js";
export { HoldOff } from "./queue/hold-off.js";
export { SearchIndex } from "./queue/search-index.js";
export { createDuplexMemory, Duplex, type DuplexMemory } from "./ring/duplex.js";
export { FrameReader, FrameWriter } from "./ring/frame.js";
export { createRingBuffer, HEAD, HEADER_BYTES, ROOM, TAIL, WAKE } from "./ring/layout.js";
export { Consumer, Producer } from "./ring/ring.js";
export { type WaitEnd, waitForFrame, waitForRoom } from "./ring/wait.js";
export { EmbeddedStore, type EmbeddedStoreOptions } from "./store/embedded/embedded-store.js";
export { apply, newSegment, type SegmentState, takeEvents } from "./store/embedded/machine.js";
export { MemoryStore, type MemoryStoreOptions } from "./store/embedded/memory-store.js";
export { type GateSnapshot, type SegmentSnapshot, snapshot } from "./store/embedded/snapshot.js";
export { OffloadingStore } from "./store/redis/offload.js";
export { RedisStore, type RedisStoreOptions } from "./store/redis/redis-store.js";
export type { SiteStore } from "./store/sites/site.js";
export { SitesStore, type SitesStoreOptions } from "./store/sites/sites-store.js";
export {
  PROCESS_ENTRY,
  type ProcessBoot,
  type ProcessUpMessage,
  THREAD_ENTRY,
  type ThreadMessage,
  type WorkerBoot,
} from "./worker/boot.js";
export type { Manifest } from "./worker/manifest.js";
export type { Assignment, OutcomePort } from "./worker/port.js";
export { ABANDONED, BEATS, BEGUN, CURRENT, createSeatsBuffer, ENDED, HEAP_KB, PHASE, Seats } from "./worker/seats.js";
export { stepTable } from "./workflow/step.js";

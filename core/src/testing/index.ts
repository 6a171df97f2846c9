/**
 * The door for tests of programs that use Millrace: time that moves when told, a memory store, recorded calls.
 */
export { type CrashMatrix, type CrashMatrixOptions, type CrashOutcome, crashMatrix } from "./crash-matrix.js";
export { checkExecutor, type ExecutorCheck, type ExecutorSample, executorChecks } from "./executor-kit.js";
export { CRASH_POINTS, type CrashPoint } from "./faults.js";
export { ManualClock } from "./manual-clock.js";
export { forSeeds } from "./seeds.js";
export { createTestApp, type RecordedCall, TestApp, type TestAppOptions } from "./test-app.js";

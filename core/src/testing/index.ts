/**
 * The door for tests of programs that use Millrace: time that moves when told, a memory store, recorded calls.
 */
export { checkExecutor, type ExecutorCheck, type ExecutorSample, executorChecks } from "./executor-kit.js";
export { ManualClock } from "./manual-clock.js";
export { createTestApp, type RecordedCall, TestApp, type TestAppOptions } from "./test-app.js";

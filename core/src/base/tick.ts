/**
 * The end of a tick: when everything that is about to happen synchronously or in promise callbacks has happened.
 * What a thousand concurrent callers hand in before it can leave as one batch, and a lone call waits for nothing.
 */

/**
 * Calls `fn` once the microtasks that are queued now, and those they queue in turn, have run; before any I/O.
 *
 * Node runs `nextTick` callbacks before microtasks when both are pending, but a `nextTick` asked for *inside* a
 * microtask runs only when the microtask queue is empty. Hence the two steps.
 */
export function afterTick(fn: () => void): void {
  queueMicrotask(() => process.nextTick(fn));
}

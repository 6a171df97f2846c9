/**
 * Who attends the Queues of this process's own Segments: answered by its Foreman, asked by what enqueues. Where it does,
 * an enqueue needs no bell: the claim follows it on the same connection and finds what it brought.
 */

/** Told of what this process enqueues. */
export interface Attendant {
  /** Whether a claim follows whatever is enqueued there. */
  attends(segment: string, queue: string): boolean;
  /** Operations for a Queue it attends are on their way to the store. */
  sent(segment: string, queue: string): void;
}

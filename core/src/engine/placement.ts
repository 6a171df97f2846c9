/**
 * Where a Node's Segments are when an App has several servers (*sites*; elsewhere: shards, regions). What a producer
 * needs to know of it; implemented by store/sites.
 *
 * A Segment has one home for ever: the site that lists it. A Node's own Segment bears the Node's name; one it writes
 * while its home is away bears `NODE.SITE`, so that its name alone tells its home and two processes of a Node that
 * reach different sites cannot give one name two homes.
 * Types only; imports nothing.
 */

/** How the server of a Segment is, as this process sees it. */
export interface SiteHealth {
  /** It answers: nothing was refused since the last answer, and no call waits for long. */
  readonly isAnswering: boolean;
  /** Since when it is so, by the monotonic clock. */
  readonly sinceMs: number;
}

/** Finds and opens the Segments a Node writes. */
export interface Placement {
  /**
   * Opens the Node's own Segment at its home and answers its name. `null`: a site was not seen yet on which it may lie.
   * A Node that is listed nowhere gets a home, the same for all its processes.
   *
   * Errors: MR_STORE_UNAVAILABLE, MR_INDETERMINATE: its home does not answer.
   */
  openHome(node: string): Promise<string | null>;
  /** Opens the Node's Segment on a site that answers now and is not its home; `null` if there is none. Errors: none. */
  openElsewhere(node: string): Promise<string | null>;
  /** How the server of a Segment is; one whose home is not known does not answer. */
  health(segment: string): SiteHealth;
}

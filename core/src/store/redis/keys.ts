/**
 * The only speller of key and channel names on this side; lua/_keys.lua is its twin, and a test compares them.
 *
 * All keys of a Segment derive from its root `{app:segment}` and so share its slot; the App's directory has its own.
 * A call names the root alone. The derived names are here for tests, tools and docs/store.md.
 */

/** The root of a Segment: its key prefix with the hash tag. */
export function rootKey(app: string, segment: string): string {
  return `{${app}:${segment}}`;
}

/** Set of the App's Segments. */
export function segmentsKey(app: string): string {
  return `{${app}}:segments`;
}

/** Set of the Queues that Segments opened later pause. */
export function pausedKey(app: string): string {
  return `{${app}}:paused`;
}

/** Hash of the App's incarnations: entries of node_beat.lua, and `#`. */
export function nodesKey(app: string): string {
  return `{${app}}:nodes`;
}

/** String: the server's own name, where an App has several servers. */
export function siteKey(app: string): string {
  return `{${app}}:site`;
}

/** String: which deployment's data this is (deployment.ts), written by whoever comes first. */
export function deploymentKey(app: string): string {
  return `{${app}}:deployment`;
}

/** Channel of the bell of one Queue of one Segment, for those who attend it. */
export function attendedChannel(app: string, segment: string, queue: string): string {
  return `{${app}}:bell:${segment}:${queue}`;
}

/** Channel of cancel marks, due times and calls for help of all Segments, and of bells that nobody else hears. */
export function bellChannel(app: string): string {
  return `{${app}}:bell`;
}

/** Channel of outcomes and progress that one store instance waits for. */
export function replyChannel(app: string, instance: string): string {
  return `{${app}}:reply:${instance}`;
}

/** Sorted set: names of large values that are kept apart, by when they are looked at next (offload.ts). */
export function valuesKey(root: string): string {
  return `${root}:vi`;
}

/** String: one of these values. */
export function valueKey(root: string, name: string): string {
  return `${root}:v:${name}`;
}

/** The names below a root. */
export const derivedKeys = {
  lanes: (root: string) => `${root}:l`,
  marks: (root: string) => `${root}:w`,
  ready: (root: string, queue: string, priority: number) =>
    priority === 0 ? `${root}:r:${queue}` : `${root}:r:${queue}:${priority}`,
  priorities: (root: string, queue: string) => `${root}:p:${queue}`,
  queues: (root: string) => `${root}:q`,
  owners: (root: string) => `${root}:b`,
  flight: (root: string, owner: string) => `${root}:f:${owner}`,
  cancels: (root: string, owner: string) => `${root}:c:${owner}`,
  progress: (root: string, owner: string) => `${root}:g:${owner}`,
  operations: (root: string) => `${root}:op`,
  metas: (root: string) => `${root}:m`,
  due: (root: string) => `${root}:due`,
  dead: (root: string) => `${root}:dl`,
  slice: (root: string, member: string) => `${root}:d:${member}`,
  slices: (root: string) => `${root}:ds`,
  memory: (root: string, window: number) => `${root}:k:${window}`,
  windows: (root: string) => `${root}:ks`,
  withdrawn: (root: string) => `${root}:x`,
  withdrawn_counts: (root: string) => `${root}:xn`,
  waiters: (root: string) => `${root}:a`,
  ties: (root: string) => `${root}:t`,
  keys: (root: string) => `${root}:uk`,
  expiries: (root: string) => `${root}:ukx`,
  line: (root: string, line: string) => `${root}:ol:${line}`,
  slots: (root: string) => `${root}:gu`,
  limits: (root: string) => `${root}:gl`,
  live: (root: string) => `${root}:go`,
  settling: (root: string) => `${root}:gs`,
  paces: (root: string) => `${root}:gt`,
  opening: (root: string) => `${root}:gd`,
  parked_at: (root: string, gate: string) => `${root}:gw:${gate}`,
  fair: (root: string, queue: string) => `${root}:fp:${queue}`,
  clocks: (root: string) => `${root}:fc`,
  served: (root: string, gate: string) => `${root}:fs:${gate}`,
  parked: (root: string) => `${root}:pk`,
  candidates: (root: string) => `${root}:cd`,
  lapses: (root: string) => `${root}:lp`,
  lapsing: (root: string) => `${root}:lpd`,
  totals: (root: string) => `${root}:n`,
  clock: (root: string) => `${root}:clock`,
} as const;

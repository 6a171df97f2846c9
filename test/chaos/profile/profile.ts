/**
 * What a profile plays: from its name and a seed to a list of plays, always the same.
 */
import { PLACES, type PlaceKind } from "./place.js";

/** Names of profiles. `smoke` is what `npm test` has time for. */
export const PROFILES = ["smoke", "quick", "full"] as const;

/** Name of a profile. */
export type ProfileName = (typeof PROFILES)[number];

/** One play of a profile. */
export interface PlayPlan {
  readonly place: PlaceKind;
  readonly seed: number;
  readonly foremen: number;
  readonly leaseMs: number;
  /** Errands a second. */
  readonly rate: number;
  /** Before the first fault, with faults, and after the last has healed. Milliseconds. */
  readonly calmMs: number;
  readonly harmMs: number;
  readonly healedMs: number;
  /** Operations that kill whoever runs them. */
  readonly poison: number;
  /** Clients that die after send. */
  readonly doomed: number;
  /** Between two faults of one kind: at least, and at most. */
  readonly pauseMs: readonly [number, number];
  /** How long the rest of the work may take at the end, beside two Leases, before it is taken for stuck. Milliseconds. */
  readonly drainMs: number;
  /** Names of the only faults to be played; empty: all. */
  readonly only: readonly string[];
}

const minute = 60_000;
const base = {
  foremen: 3,
  leaseMs: 3_000,
  rate: 80,
  calmMs: 5_000,
  healedMs: 6_000,
  poison: 2,
  doomed: 4,
  drainMs: 90_000,
  only: [],
} as const;
const pauseMs = [1_000, 4_000] as const;

const plans: Readonly<Record<ProfileName, Readonly<Partial<Record<PlaceKind, Partial<PlayPlan>>>>>> = {
  smoke: {
    redis: {
      ...{ foremen: 2, leaseMs: 2_000, rate: 60, calmMs: 1_000, harmMs: 5_000, healedMs: 1_000, poison: 0, doomed: 1 },
      drainMs: 30_000,
      ...{ pauseMs: [200, 800], only: ["foreman killed", "redis killed", "clients cut off", "reset before the reply"] },
    },
  },
  quick: {
    redis: { harmMs: 80_000 },
    everysec: { harmMs: 20_000, poison: 0, only: ["foreman killed", "redis killed"] },
    // A Lease that a failover does not outlast: who still runs something then is told whether it is still its own.
    sentinel: { harmMs: 60_000, leaseMs: 5_000, pauseMs: [2_000, 4_000] },
    cluster: { harmMs: 45_000 },
    embedded: { harmMs: 30_000, foremen: 1 },
  },
  full: {
    redis: { harmMs: 6 * minute, poison: 6, doomed: 16 },
    everysec: { harmMs: 2 * minute, poison: 2, doomed: 6 },
    sentinel: { harmMs: 4 * minute, leaseMs: 5_000, poison: 4, doomed: 10, pauseMs: [2_000, 8_000] },
    cluster: { harmMs: 4 * minute, poison: 4, doomed: 10 },
    embedded: { harmMs: 2 * minute, foremen: 1 },
  },
};

/** The plays of a profile. */
export function profileOf(name: ProfileName, seed: number): readonly PlayPlan[] {
  return PLACES.flatMap((place, i) => {
    const plan = plans[name][place];
    return plan === undefined ? [] : [{ ...base, harmMs: 0, pauseMs, ...plan, place, seed: seed * PLACES.length + i }];
  });
}

/** About how long a play takes on an idle machine: its times, and what starting, the last faults and draining take. */
export function lastsMs({ calmMs, harmMs, healedMs }: PlayPlan): number {
  return calmMs + harmMs + healedMs + 15_000;
}

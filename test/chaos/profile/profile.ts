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
  only: [],
} as const;
const pauseMs = [1_000, 4_000] as const;

const plans: Readonly<Record<ProfileName, Readonly<Partial<Record<PlaceKind, Partial<PlayPlan>>>>>> = {
  smoke: {
    redis: {
      ...{ foremen: 2, leaseMs: 2_000, rate: 60, calmMs: 1_000, harmMs: 5_000, healedMs: 1_000, poison: 0, doomed: 1 },
      ...{ pauseMs: [200, 800], only: ["foreman killed", "redis killed", "clients cut off", "reset before the reply"] },
    },
  },
  quick: {
    redis: { harmMs: 80_000 },
    everysec: { harmMs: 20_000, poison: 0, only: ["foreman killed", "redis killed"] },
    sentinel: { harmMs: 45_000, pauseMs: [2_000, 4_000] },
    cluster: { harmMs: 45_000 },
    embedded: { harmMs: 30_000, foremen: 1 },
  },
  full: {
    redis: { harmMs: 20 * minute, poison: 20, doomed: 20 },
    everysec: { harmMs: 5 * minute, doomed: 10 },
    sentinel: { harmMs: 10 * minute, doomed: 20, pauseMs: [2_000, 10_000] },
    cluster: { harmMs: 10 * minute, doomed: 20 },
    embedded: { harmMs: 5 * minute, foremen: 1 },
  },
};

/** The plays of a profile. */
export function profileOf(name: ProfileName, seed: number): readonly PlayPlan[] {
  return PLACES.flatMap((place, i) => {
    const plan = plans[name][place];
    return plan === undefined ? [] : [{ ...base, harmMs: 0, pauseMs, ...plan, place, seed: seed * PLACES.length + i }];
  });
}

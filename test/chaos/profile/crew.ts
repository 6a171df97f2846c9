/**
 * The Foremen of a play: started, killed, stopped, started again, and watched for when they work again.
 */

import type { RunEvent } from "../../checker/run-history.js";
import type { Dice } from "../../sim/dice.js";
import { distFile, ForemanProcess } from "../foremen/foreman-process.js";
import { firstBegin } from "../foremen/gaps.js";
import { type Journal, sharedMs } from "../foremen/journal.js";
import type { ChaosSettings } from "../foremen/settings.js";
import { mutantVariable } from "../foremen/settings.js";
import type { Harm } from "./place.js";

/** What Foremen are told beside their Node's name. */
export type CrewSettings = Omit<ChaosSettings, "node">;

const againAfterMs = 300;
const startsMost = 10;
const standMs = 5_000;
/** How long an Operation of a profile may take. */
const longestMs = 20_000;
/** Until a Worker that died is replaced, on a busy machine. */
const threadMs = 2_000;

/** Foremen by their place. */
export class Crew implements AsyncDisposable {
  readonly harms: readonly Harm[];
  readonly #settings: CrewSettings;
  readonly #journal: Journal<RunEvent>;
  readonly #members: (ForemanProcess | null)[];
  readonly #all = new Set<ForemanProcess>();
  readonly #starting = new Set<Promise<void>>();
  /** When a place was last harmed by us: who was just started, or stood still, is judged by that. */
  readonly #harmedMs = new Map<number, number>();
  readonly #frozen = new Set<number>();
  #isOver = false;
  kills = 0;
  /** Starts that ended with an error. */
  failedStarts = 0;
  /** Foremen that could not be started again, in words. */
  readonly failures: string[] = [];

  constructor(count: number, settings: CrewSettings, journal: Journal<RunEvent>) {
    this.#settings = settings;
    this.#journal = journal;
    this.#members = Array.from({ length: count }, () => null);
    const { leaseMs } = settings;
    const harm = (name: string, inflict: (place: number, dice: Dice) => Promise<boolean>): Harm => ({
      ...{ name, losesMs: null },
      inflict: async (dice) => await inflict(dice.between(0, count - 1), dice),
    });
    this.harms = [
      harm("foreman killed", async (place, dice) => await this.#kill(place, dice.between(0, 500))),
      harm("foreman stopped", async (place, dice) => {
        const hasShort = dice.chance(40);
        return await this.#freeze(
          place,
          hasShort ? dice.between(100, leaseMs / 2) : dice.between(leaseMs * 1.2, leaseMs * 2),
        );
      }),
    ];
  }

  /** Starts all; resolves when they say that they are ready. */
  async start(): Promise<void> {
    await Promise.all(this.#members.map((_, place) => this.#start(place)));
  }

  /** Process ids of those that are up. */
  get pids(): readonly number[] {
    return this.#members.flatMap((member) => (member?.isAlive === true ? [member.pid] : []));
  }

  /** How many processes of Foremen are there still, of all that ever were. */
  get survivors(): number {
    return [...this.#all].filter((member) => member.isRunning).length;
  }

  /** Resolves when every Foreman has begun work. */
  async works(patienceMs = 30_000): Promise<void> {
    await this.worksAgain(0, patienceMs);
  }

  /** From a moment on, how long the last of those that are up and were not harmed took to begin work. Milliseconds. */
  async worksAgain(sinceMs: number, patienceMs: number): Promise<number> {
    const giveUpAt = sharedMs() + patienceMs;
    let lastMs = 0;
    for (const [place, member] of this.#members.entries()) {
      if (member === null || !member.isAlive) continue;
      for (;;) {
        const firstMs = this.#firstBegin(member.owner, sinceMs);
        if (firstMs !== null) {
          lastMs = Math.max(lastMs, firstMs - sinceMs);
          break;
        }
        // Harmed meanwhile: that is another fault's business.
        if (this.#members[place] !== member || this.#frozen.has(place)) break;
        if ((this.#harmedMs.get(place) ?? 0) > sinceMs - 1_000) break;
        if (this.#hasLostThread(member.owner, sinceMs - threadMs)) break;
        if (sharedMs() > giveUpAt) return Number.POSITIVE_INFINITY;
        await pause(20);
      }
    }
    return lastMs;
  }

  /** The lines of the first Foreman's standard error. */
  get errors(): readonly string[] {
    return this.#members[0]?.errors ?? [];
  }

  /** Resolves when the only Foreman has ended by itself; `hasLeft` tells that it did so on purpose. */
  async leaves(hasLeft: () => boolean): Promise<void> {
    while (!hasLeft()) await pause(50);
    this.#isOver = true;
    await Promise.all([...this.#all].map(async (member) => await member.exited));
  }

  /** SIGTERM to all; how long the last took. Milliseconds. */
  async stop(patienceMs: number): Promise<number> {
    const sinceMs = sharedMs();
    this.#isOver = true;
    await Promise.all(
      this.#members.map(async (member) => {
        if (member === null) return;
        await member.terminate(patienceMs).catch((error: unknown) => {
          throw new Error(`${member.settings.node} did not end; its last lines:\n${member.errors.join("\n")}`, {
            cause: error,
          });
        });
      }),
    );
    return sharedMs() - sinceMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    // One that is just being started would be left behind, and write into a log that is gone.
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#all].map((member) => member.end()));
  }

  async #start(place: number): Promise<void> {
    const starting = this.#launch(place);
    this.#starting.add(starting);
    try {
      await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #launch(place: number): Promise<void> {
    const settings = { ...this.#settings, node: `n${place + 1}` };
    const mutant = process.env[mutantVariable] === undefined ? [] : [distFile("mutant.js")];
    const preload = [...mutant, distFile("trace.js")];
    let member: ForemanProcess | null = null;
    for (let left = startsMost; member === null; left--) {
      // A program whose store is away as it starts ends with an error; what watches it starts it again.
      member = await ForemanProcess.start(settings, this.#journal, preload).catch(async (error: unknown) => {
        if (left === 0 || this.#isOver) throw error;
        this.failedStarts++;
        await pause(againAfterMs);
        return null;
      });
    }
    this.#all.add(member);
    this.#members[place] = member;
    if (this.#isOver) await member.end();
    member.exited
      .then(() => this.#ended(place, member))
      .catch((error: unknown) => {
        if (!this.#isOver) this.failures.push(error instanceof Error ? error.message : String(error));
      });
  }

  /** One that died of what it ran is started again, as one that was killed. */
  async #ended(place: number, member: ForemanProcess): Promise<void> {
    if (this.#isOver || this.#members[place] !== member) return;
    this.#harmedMs.set(place, sharedMs());
    this.#members[place] = null;
    this.kills++;
    await pause(againAfterMs);
    if (this.#isOver) return;
    await this.#start(place);
    this.#harmedMs.set(place, sharedMs());
  }

  /** The Foreman of a place; one that is just being started is waited for: a fault that hits nobody proves nothing. */
  async #standing(place: number): Promise<ForemanProcess | null> {
    const giveUpAt = sharedMs() + standMs;
    for (;;) {
      const member = this.#members[place];
      if (member?.isAlive === true) return member;
      if (sharedMs() > giveUpAt) return null;
      await pause(20);
    }
  }

  async #kill(place: number, afterMs: number): Promise<boolean> {
    const member = await this.#standing(place);
    if (member === null) return false;
    this.#harmedMs.set(place, sharedMs());
    this.#members[place] = null;
    await member.kill9();
    this.kills++;
    await pause(afterMs);
    await this.#start(place);
    this.#harmedMs.set(place, sharedMs());
    return true;
  }

  async #freeze(place: number, forMs: number): Promise<boolean> {
    const member = await this.#standing(place);
    if (member === null) return false;
    this.#frozen.add(place);
    member.freeze();
    await pause(forMs);
    member.thaw();
    this.#harmedMs.set(place, sharedMs());
    this.#frozen.delete(place);
    return true;
  }

  /** A Foreman that has lost Workers begins nothing until it has others: what is asked here is how deaf it is. */
  #hasLostThread(owner: string, sinceMs: number): boolean {
    const { events } = this.#journal;
    for (let i = events.length - 1; i >= 0; i--) {
      const event = events[i];
      if (event?.kind === "start" && event.atMs < sinceMs - 1_000) return false;
      if (event?.kind === "fault" && event.fault === "thread" && event.owner === owner && event.atMs >= sinceMs)
        return true;
    }
    return false;
  }

  /**
   * When a Foreman began work, from a moment on; one whose slots are taken by long work can begin none, and has an
   * answered beat for it.
   */
  #firstBegin(owner: string, sinceMs: number): number | null {
    this.#journal.read();
    const { events } = this.#journal;
    const begunMs = firstBegin(events, owner, sinceMs);
    if (begunMs !== null) return begunMs;
    let beatMs = Number.POSITIVE_INFINITY;
    const over = new Set<string>();
    let isBusy = false;
    for (let i = events.length - 1; i >= 0; i--) {
      const event = events[i];
      if (event?.kind === "start" && event.atMs < sinceMs - longestMs) break;
      if (event === undefined || !("owner" in event) || event.owner !== owner) continue;
      if (event.kind === "beat" && event.sentMs >= sinceMs) beatMs = Math.min(beatMs, event.sentMs);
      if (event.kind === "done") over.add(`${event.id} ${event.token}`);
      if (event.kind === "start" && !over.has(`${event.id} ${event.token}`)) isBusy = true;
    }
    return isBusy && Number.isFinite(beatMs) ? beatMs : null;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

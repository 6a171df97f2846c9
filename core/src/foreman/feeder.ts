/**
 * Duty: claims work for the pools (elsewhere: fetcher). Each pool follows its own hints over Segments in rotation;
 * claims when there is room, as much as there is room for, pools by turns, one claim at a time per Segment. A lost
 * reply is asked for again by its number.
 */
import { isMillraceError } from "../base/errors.js";
import { enqueuedAtMsOf } from "../engine/envelope.js";
import type { Claim, ClaimAnswer, ClaimParams } from "../engine/transitions.js";
import { BATCH_MAX } from "../queue/fast-lane.js";
import { isResendable, pauseBefore, type ResendContext, resend, waitReady } from "../queue/resend.js";
import type { Left, Rotation, Turn } from "../queue/rotation.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import type { Completer } from "./completer.js";
import type { Pool } from "./pool.js";
import { Quarantine } from "./quarantine.js";
import { inTurn } from "./queue-turns.js";
import type { Sharing } from "./sharing.js";

/** Claims in flight over all Segments: enough to gather work that is thinly spread. */
const CLAIMS_MAX = 8;
/** A claim that brings less than this part of what it asked for tells of work that is thinly spread. */
const THIN_SHARE = 4;
/** Unanswered outcomes beyond which no more work is taken. */
const BACKLOG_MAX = 20_000;
/** Weight of the newest claim in the mean round trip. */
const MEAN_WEIGHT = 0.2;
/** A claim without an answer for so long is stuck: its room is given to others, and its answer is taken when it comes. */
const STUCK_MS = 2_000;
/** A buffered Operation that waited this long for a slot goes back to its Queue. */
const UNSTARTED_MS_MAX = 1_000;

/** What the feeder needs. */
export interface FeederOptions extends ResendContext {
  readonly segments: Segments;
  readonly pools: readonly Pool[];
  readonly completer: Completer;
  readonly sharing: Sharing;
  readonly owner: string;
  /** Recoveries after which the next death ends an Operation as poison. */
  readonly recoveriesMax: number;
  /** The pace its claims keep to (`ClaimParams`); null for none, as by default. */
  readonly pace?: () => ClaimParams["pace"] | null;
  /** Whether a pool's Queues stand in order of preference; by default each comes first in its turn. */
  readonly isByPreference?: boolean;
  /** Whether what is held in a Segment may be another's by now: a process that stood still must not begin it. */
  readonly isLapsed: (segment: string) => boolean;
  /** Sends a beat there: what is claimed afterwards is this process's own again. */
  readonly prove: (view: SegmentView) => Promise<void>;
}

/** A pool as it is fed. */
interface Intake {
  readonly pool: Pool;
  readonly rotation: Rotation;
  /** Claims in flight, and the Operations they ask for. */
  claims: number;
  asked: number;
  /** The last claim brought far less than it asked for. */
  isThin: boolean;
  /** Segments claimed from while some Queues were left out: to be asked again when none is. */
  readonly owed: Set<Turn>;
}

/** A claim in flight. */
interface Flight {
  readonly intake: Intake;
  readonly max: number;
  readonly sentMs: number;
  /** It holds no room any more: its server refuses, or does not answer. */
  isStuck: boolean;
}

/** Takes work from Segments to the pools. */
export class Feeder {
  readonly #options: FeederOptions;
  readonly #intakes: readonly Intake[];
  readonly #quarantine: Quarantine;
  /** Queues nothing is claimed from although pools have them. */
  #leftOut: ReadonlySet<string> = new Set();
  /** The intake to look at first: the one behind the last that claimed. */
  #first = 0;
  #isOpen = false;
  readonly #flights = new Set<Flight>();
  /** Claims in flight that are not stuck. */
  #claims = 0;
  #claimMs = 1;
  #stopped: (() => void)[] = [];

  constructor(options: FeederOptions) {
    this.#options = options;
    const { completer, clock, random } = options;
    const isOpen = (segment: string) => this.#isOpen && !options.isLapsed(segment);
    this.#quarantine = new Quarantine({ completer, clock, random, isOpen, recoveriesMax: options.recoveriesMax });
    this.#intakes = options.pools.map((pool) => ({
      pool,
      rotation: options.segments.join(pool.queues),
      claims: 0,
      asked: 0,
      isThin: false,
      owed: new Set(),
    }));
  }

  /** Begins to claim. */
  start(): void {
    this.#isOpen = true;
    this.wake();
  }

  /** Claims no more; resolves when the last claim has been answered. */
  async stop(): Promise<void> {
    this.#isOpen = false;
    if (this.#claims > 0) await new Promise<void>((resolve) => this.#stopped.push(resolve));
    await this.#quarantine.whenSettled();
  }

  /** Hears no more of what waits where: once the others have been told, see sharing.ts. */
  leave(): void {
    for (const { rotation } of this.#intakes) this.#options.segments.leave(rotation);
  }

  /** Claims nothing from these Queues until told otherwise. */
  leaveOut(queues: ReadonlySet<string>): void {
    this.#leftOut = queues;
    for (const { rotation, owed } of this.#intakes) for (const { view } of owed) rotation.hint(view, { priority: 0 });
    this.wake();
  }

  /** A claim has left this process: by its outcome (`hasEnded`), or back to its Queue. */
  left(claim: Claim, hasEnded: boolean): void {
    this.#quarantine.left(claim, hasEnded);
  }

  /** Looks whether there is room and a hint; cheap enough for every completion. */
  wake(): void {
    const intakes = this.#intakes;
    if (!this.#isOpen || this.#options.completer.backlog > BACKLOG_MAX) return;
    // After each claim the next pool has its turn; when none of them claims any more, all have been looked at.
    for (let idle = 0; idle < intakes.length && this.#claims < CLAIMS_MAX; ) {
      const at = this.#first;
      const intake = intakes[at];
      this.#first = at + 1 < intakes.length ? at + 1 : 0;
      if (intake !== undefined && this.#feed(intake)) idle = 0;
      else idle++;
    }
  }

  /** Gives back what has waited too long for a slot, and takes back the room of claims that nobody answers. */
  async relieve(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    for (const flight of this.#flights) if (nowMs - flight.sentMs >= STUCK_MS) this.#setStuck(flight);
    // Not waited for: a server that does not answer would keep the next look away.
    void this.giveBack(UNSTARTED_MS_MAX);
  }

  /** A Lease is lost: gives back all that has not begun, and lets nothing begin that is held back. */
  lapse(): void {
    this.#quarantine.lapse();
    void this.giveBack(0);
  }

  /** Gives back what has waited for a slot for `ageMs` or longer. */
  async giveBack(ageMs: number): Promise<void> {
    await this.#options.completer.giveBack(this.#intakes.flatMap(({ pool }) => pool.takeUnstarted(ageMs)));
  }

  #feed(intake: Intake): boolean {
    const room = intake.pool.room(this.#claimMs) - intake.asked;
    // While claims bring about what they ask for, one at a time is enough, and the room that gathers meanwhile makes
    // the next one worth its price. Work that is thinly spread is fetched from several Segments at once.
    if (room <= 0 || (intake.claims > 0 && !intake.isThin)) return false;
    const { rotation, owed } = intake;
    const leftOut = this.#leftOut;
    const all = intake.pool.queues;
    const queues = leftOut.size === 0 ? all : all.filter((queue) => !leftOut.has(queue));
    const { sharing } = this.#options;
    if (queues.length === 0) return false;
    if (owed.size > 0 && queues.length === rotation.queues.length) {
      for (const { view } of owed) rotation.hint(view, { priority: 0 });
      owed.clear();
    }
    // To help is for who has nothing to do, or nothing of that priority.
    if (sharing.isAsked) sharing.seek(rotation.queues, rotation.highest);
    const turn = rotation.next();
    if (turn === null) return false;
    void this.#claim(intake, turn, queues, Math.min(room, BATCH_MAX));
    return true;
  }

  async #claim(intake: Intake, turn: Turn, queues: readonly string[], max: number): Promise<void> {
    const { owner, counters, clock } = this.#options;
    const { view } = turn;
    const pace = this.#options.pace?.() ?? null;
    const ordered = this.#options.isByPreference === true ? queues : inTurn(queues, turn.taken - 1);
    const plain = { owner, request: ++view.request, queues: ordered, max };
    const params = pace === null ? plain : { ...plain, pace };
    view.isBusy = true;
    const sentMs = clock.monotonicMs();
    view.askedMs = sentMs;
    const flight: Flight = { intake, max, sentMs, isStuck: false };
    this.#flights.add(flight);
    this.#claims++;
    intake.claims++;
    intake.asked += max;
    counters.add("claimCalls");
    let answer: ClaimAnswer | null = null;
    let isRefused = false;
    try {
      answer = await this.#ask(flight, view, params);
    } catch (error) {
      // Else the store is closed or refuses for good; a bell or the safety poll tries again.
      isRefused = isResendable(error);
    }
    this.#flights.delete(flight);
    if (!flight.isStuck) this.#land(flight);
    view.isBusy = false;
    view.askedMs = null;
    const mayHoldMore = intake.rotation.settle(turn, answer === null ? null : leftBy(answer));
    if (answer !== null) {
      const brought = answer.claims.length;
      this.#options.sharing.answered({ view, queues, brought, mayHoldMore, claimMs: this.#claimMs });
    }
    if (queues.length < intake.rotation.queues.length) intake.owed.add(turn);
    if (answer !== null) this.#take(intake, view, answer.claims, max, sentMs);
    if (isRefused) void this.#hintLater(intake, view);
    else view.refusals = 0;
    this.wake();
  }

  /** Errors: MR_STORE_UNAVAILABLE, nothing was claimed; what repeating cannot help. */
  async #ask(flight: Flight, view: SegmentView, params: ClaimParams): Promise<ClaimAnswer> {
    const { store, counters } = this.#options;
    try {
      return await store.claim(view.name, params);
    } catch (error) {
      if (!isMillraceError(error, "MR_INDETERMINATE")) throw error;
    }
    this.#setStuck(flight);
    counters.add("resends");
    // It may have taken something: asked for again by its number it tells what, else it takes one; its room is gone.
    const again = { ...params, max: 1 };
    return await resend(this.#options, Number.POSITIVE_INFINITY, () => store.claim(view.name, again), view.name);
  }

  /** A server that refuses is asked again when it can be, and not by everybody at once. */
  async #hintLater(intake: Intake, view: SegmentView): Promise<void> {
    view.isBusy = true;
    try {
      await waitReady(this.#options, Number.POSITIVE_INFINITY, view.name);
      await pauseBefore(this.#options, view.refusals++);
    } catch {
      return; // the store was closed
    } finally {
      view.isBusy = false;
    }
    if (!this.#isOpen) return;
    intake.rotation.hint(view, { priority: intake.rotation.turn(view).highest });
    this.wake();
  }

  #setStuck(flight: Flight): void {
    if (flight.isStuck) return;
    flight.isStuck = true;
    this.#land(flight);
    this.wake();
  }

  /** A claim holds no room any more. */
  #land({ intake, max }: Flight): void {
    this.#claims--;
    intake.claims--;
    intake.asked -= max;
    if (this.#claims > 0) return;
    for (const resolve of this.#stopped) resolve();
    this.#stopped = [];
  }

  #take(intake: Intake, view: SegmentView, claims: readonly Claim[], max: number, sentMs: number): void {
    const { completer, counters, clock } = this.#options;
    this.#claimMs += MEAN_WEIGHT * (clock.monotonicMs() - sentMs - this.#claimMs);
    intake.isThin = claims.length < max / THIN_SHARE;
    if (claims.length === 0) return counters.add("emptyClaims");
    view.held += claims.length;
    view.claimed += claims.length;
    view.wasClaimed = true;
    view.provenMs ??= sentMs;
    counters.add("claimed", claims.length);
    if (!this.#isOpen) return void completer.giveBack([{ segment: view.name, claims }]);
    if (this.#options.isLapsed(view.name)) return void this.#giveBackLapsed(view, claims);
    const { pool } = intake;
    pool.push(
      view.name,
      this.#quarantine.sift(view.name, claims, (claim) => pool.push(view.name, [claim])),
    );
  }

  /**
   * What a lapsed Lease may not hold goes back, and nothing more is claimed there before a beat: the next claim would bring
   * the same again, and on a store in this process that goes round without a turn for the timer of the beats.
   */
  async #giveBackLapsed(view: SegmentView, claims: readonly Claim[]): Promise<void> {
    view.isBusy = true;
    try {
      await this.#options.completer.giveBack([{ segment: view.name, claims }]);
      await this.#options.prove(view);
    } finally {
      view.isBusy = false;
    }
    this.wake();
  }
}

/** What a claim tells of those it left: what comes next was enqueued about when the last one was that it took. */
function leftBy({ claims, waiting, highest }: ClaimAnswer): Left {
  const last = claims[claims.length - 1];
  return { waiting, highest, takenMs: waiting === 0 || last === undefined ? null : enqueuedAtMsOf(last.body) };
}

/**
 * Duty: shows this process to the App and looks at the others (elsewhere: worker registry, process list). Beats in the
 * App's index of Nodes; whoever's counter stands still for a Lease, by this process's monotonic clock, is dead.
 *
 * A Node's name belongs to one machine: a start beside another machine that bears it and lives is refused, unless it
 * takes over. The Segments of Nodes that are gone are *orphans*: everybody claims from them as from any other; here
 * they are counted and, while they hold work, warned of, as is a Segment far deeper than the others.
 */
import type { Machine } from "../base/env.js";
import { createError } from "../base/errors.js";
import type { LogFields, Logger } from "../base/log.js";
import { decodeAbout, encodeAbout, type NodeAbout } from "../engine/node.js";
import type { NodeEntry } from "../engine/transitions.js";
import { isResendable, type ResendContext, resend } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";

/** What the duty needs. */
export interface NodesOptions extends ResendContext {
  readonly segments: Segments;
  readonly log: Logger;
  readonly owner: string;
  readonly node: string;
  readonly machine: Machine;
  /** What this process says of itself beside its machine. */
  readonly about: Pick<NodeAbout, "queues" | "steps" | "tied" | "slots">;
  readonly leaseMs: number;
  /** Start although another machine that lives bears the Node's name. */
  readonly isTakeover: boolean;
}

/** One incarnation as this process sees it. */
export interface NodeView {
  readonly incarnation: string;
  readonly node: string;
  /** Its beat moved within a Lease, or has not been watched for one yet. */
  readonly isLive: boolean;
  /** Since when its beat stands still, in milliseconds before now. */
  readonly silentMs: number;
  /** Null if its words are not understood. */
  readonly about: NodeAbout | null;
}

interface Sighting {
  readonly entry: NodeEntry;
  readonly about: NodeAbout | null;
  readonly sinceMs: number;
}

/** A Segment whose Node was in the index. */
interface Mark {
  /** When the Node was last seen to beat, and what this process had claimed from the Segment then. */
  sinceMs: number;
  claimed: number;
}

/** A Segment whose Node is gone. */
interface Orphan {
  isAdopted: boolean;
  /** Rounds it was seen to hold work in a row. */
  rounds: number;
}

/** A round that took so long tells of a store that was cut off: others' beats may hang as ours did. */
const BLIND_MS = 2_000;
/** After so long without a beat an entry is forgotten; dead ones stay so long for people to see. */
const FORGET_MS = 600_000;
/** Entries for which the index is read once a round; larger ones are read more seldom. */
const ENTRIES_PER_ROUND = 100;
/** How often others are looked at while a start waits to see whether they live, as a part of the Lease. */
const WATCHES_PER_LEASE = 20;
/** A Segment is skewed beyond so many times the median depth, and never below ten times this depth. */
const SKEW_FACTOR = 10;
const SKEW_DEPTH_MIN = 100;
/** A warning about one Segment comes again after so long. */
const WARN_PERIOD_MS = 600_000;
/** Work in an orphan seen in so many rounds is no passing state of a restart. */
const ORPHAN_ROUNDS = 2;
/** How long a store that is away may hold up a start. */
const JOIN_MS = 10_000;

/** Looks after the index of Nodes. */
export class Nodes {
  readonly #options: NodesOptions;
  readonly #about: Uint8Array;
  #seen = new Map<string, Sighting>();
  /** Names of Nodes that were in the index while this process looked. */
  readonly #known = new Set<string>();
  readonly #marks = new Map<string, Mark>();
  readonly #orphans = new Map<string, Orphan>();
  /** Segment and kind of warning → when it was given last. */
  readonly #warned = new Map<string, number>();
  /** A reading failed or was far off: what stood still meanwhile proves nothing. */
  #isBlind = false;
  #roundsToRead = 0;

  constructor(options: NodesOptions) {
    this.#options = options;
    const { machine, about, clock, node } = options;
    this.#about = encodeAbout({
      ...about,
      host: machine.host,
      machine: machine.id,
      pid: machine.pid,
      startedAtMs: clock.nowMs(),
    });
    this.#known.add(node);
  }

  /** Every incarnation seen at the last reading, this one among them. */
  list(): NodeView[] {
    const { clock, leaseMs } = this.#options;
    const nowMs = clock.monotonicMs();
    return [...this.#seen.values()].map(({ entry, about, sinceMs }) => {
      const silentMs = nowMs - sinceMs;
      const { incarnation, node } = entry;
      return { incarnation, node, about, silentMs, isLive: silentMs < leaseMs };
    });
  }

  /**
   * Comes into the index. If another machine bears the Node's name, watches for up to a Lease whether it lives.
   *
   * Errors: MR_NODE_TAKEN, with nothing left behind; those of the store.
   */
  async join(): Promise<void> {
    const { log, node, isTakeover } = this.#options;
    const { elders } = await resend(this.#options, JOIN_MS, () => this.#beat(true));
    const others = elders.filter((entry) => this.#isElsewhere(entry));
    const [first] = others;
    if (first === undefined) return await this.run();
    if (isTakeover) {
      log.warn({ node, others: others.length }, "another machine bears this Node's name; it is taken over");
      return await this.run();
    }
    log.info(
      { node, others: others.length },
      "another machine bears this Node's name; waiting to see whether it lives",
    );
    const living = await this.#watch(new Set(others.map(({ incarnation }) => incarnation)));
    if (living === null) return await this.run();
    await this.leave();
    const about = decodeAbout(living.about);
    throw createError("MR_NODE_TAKEN", {
      node,
      owner: about?.pid ?? "unknown",
      host: about?.host ?? "another machine",
    });
  }

  /** One round: beats, looks at the others, counts orphans. A store that does not answer is asked again in the next. */
  async run(): Promise<void> {
    const { store, clock } = this.#options;
    const askedMs = clock.monotonicMs();
    try {
      await this.#beat(false);
      if (--this.#roundsToRead > 0) return;
      const entries = await store.nodes();
      if (clock.monotonicMs() - askedMs >= BLIND_MS) this.#isBlind = true;
      this.#see(entries);
      this.#roundsToRead = Math.ceil(this.#seen.size / ENTRIES_PER_ROUND);
      await this.#forgetSilent();
    } catch (error) {
      this.#isBlind = true;
      if (!isResendable(error)) throw error;
    }
    this.#lookAtSegments();
  }

  /** Takes word that a connection came back: nobody is judged by what was not seen meanwhile. */
  reset(): void {
    this.#isBlind = true;
  }

  /** Goes out of the index. Errors: those of the store; then others find it silent. */
  async leave(): Promise<void> {
    await this.#options.store.nodeLeave({ incarnation: this.#options.owner, beat: null });
  }

  async #beat(isJoining: boolean) {
    const { store, owner, node } = this.#options;
    return await store.nodeBeat({ incarnation: owner, node, about: this.#about, isJoining });
  }

  #isElsewhere(entry: NodeEntry): boolean {
    return decodeAbout(entry.about)?.machine !== this.#options.machine.id;
  }

  /** Watches incarnations until one of them beats, or none has for a Lease: the living one, or null. */
  async #watch(watched: Set<string>): Promise<NodeEntry | null> {
    const { store, clock, leaseMs } = this.#options;
    const beats = new Map<string, number>();
    const endMs = clock.monotonicMs() + leaseMs;
    for (let look = 0; ; look++) {
      const entries = (await resend(this.#options, JOIN_MS, () => store.nodes())).filter(({ incarnation }) =>
        watched.has(incarnation),
      );
      for (const entry of entries) {
        const before = beats.get(entry.incarnation);
        if (before !== undefined && before !== entry.beat) return entry;
        beats.set(entry.incarnation, entry.beat);
      }
      if (entries.length === 0) return null;
      if (clock.monotonicMs() >= endMs) {
        for (const { incarnation, beat } of entries) await store.nodeLeave({ incarnation, beat });
        return null;
      }
      await new Promise<void>((resolve) => {
        clock.setTimer(leaseMs / WATCHES_PER_LEASE, resolve);
      });
      // Whoever watches us meanwhile must see us live.
      if (look % 4 === 0) await this.#beat(false).catch(() => undefined);
    }
  }

  #see(entries: readonly NodeEntry[]): void {
    const { clock, leaseMs, node, owner, log, counters } = this.#options;
    const nowMs = clock.monotonicMs();
    const seen = new Map<string, Sighting>();
    let live = 0;
    for (const entry of entries) {
      const last = this.#seen.get(entry.incarnation);
      // A counter that moved in either direction is alive.
      const isSame = last !== undefined && last.entry.beat === entry.beat && !this.#isBlind;
      const about = last?.about ?? decodeAbout(entry.about);
      const sighting = { entry, about, sinceMs: isSame ? last.sinceMs : nowMs };
      seen.set(entry.incarnation, sighting);
      this.#known.add(entry.node);
      if (nowMs - sighting.sinceMs < leaseMs) live++;
      if (last !== undefined || entry.node !== node || entry.incarnation === owner) continue;
      if (about?.machine === this.#options.machine.id) continue;
      log.error(
        { node, host: about?.host, pid: about?.pid },
        "another machine bears this Node's name: rename one of them",
      );
    }
    this.#isBlind = false;
    this.#seen = seen;
    counters.set("nodesLive", live);
  }

  async #forgetSilent(): Promise<void> {
    const { clock, store, owner, log } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const { entry, about, sinceMs } of [...this.#seen.values()]) {
      const { incarnation, node, beat } = entry;
      if (incarnation === owner || nowMs - sinceMs < FORGET_MS) continue;
      const { answer } = await store.nodeLeave({ incarnation, beat });
      if (answer === "ok") log.info({ node, host: about?.host, pid: about?.pid }, "forgot a process that fell silent");
      if (answer !== "stale") this.#seen.delete(incarnation);
    }
  }

  // ── Segments ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #lookAtSegments(): void {
    const { segments, counters } = this.#options;
    const living = new Set(this.list().flatMap(({ node, isLive }) => (isLive ? [node] : [])));
    living.add(this.#options.node);
    const depths: number[] = [];
    let orphaned = 0;
    const beatMs = this.#beatTimes();
    for (const view of segments.all()) {
      depths.push(view.ready);
      this.#mark(view, beatMs);
      if (this.#isOrphan(view, living)) {
        if (this.#lookAtOrphan(view)) orphaned++;
      } else this.#orphans.delete(view.name);
    }
    counters.set("segmentsOrphaned", orphaned);
    counters.set("segmentsSkewed", this.#warnOfSkew(depths));
  }

  /** When each Node was last seen to beat. */
  #beatTimes(): Map<string, number> {
    const times = new Map<string, number>();
    for (const { entry, sinceMs } of this.#seen.values()) {
      times.set(entry.node, Math.max(sinceMs, times.get(entry.node) ?? Number.NEGATIVE_INFINITY));
    }
    return times;
  }

  #mark(view: SegmentView, beatMs: ReadonlyMap<string, number>): void {
    for (const node of nodesOf(view)) {
      const sinceMs = beatMs.get(node);
      const mark = this.#marks.get(view.name);
      if (sinceMs === undefined || (mark !== undefined && sinceMs <= mark.sinceMs)) continue;
      this.#marks.set(view.name, { sinceMs, claimed: view.claimed });
    }
  }

  /** Its Node was in the index and is not any more, or is silent. One that never was there may be a mere producer. */
  #isOrphan(view: SegmentView, living: ReadonlySet<string>): boolean {
    const nodes = nodesOf(view);
    return nodes.some((node) => this.#known.has(node)) && !nodes.some((node) => living.has(node));
  }

  /** Whether it holds work. */
  #lookAtOrphan(view: SegmentView): boolean {
    let orphan = this.#orphans.get(view.name);
    if (orphan === undefined) {
      orphan = { isAdopted: false, rounds: 0 };
      this.#orphans.set(view.name, orphan);
    }
    if (!orphan.isAdopted && view.claimed > (this.#marks.get(view.name)?.claimed ?? 0)) {
      orphan.isAdopted = true;
      this.#options.counters.add("segmentsAdopted");
    }
    orphan.rounds = view.work > 0 ? orphan.rounds + 1 : 0;
    if (orphan.rounds === 0) return false;
    if (orphan.rounds >= ORPHAN_ROUNDS) {
      const fields = { segment: view.name, work: view.work, ready: view.ready };
      this.#warn("orphan", fields, "a Segment holds work and its Node is gone; the other Nodes work it off");
    }
    return true;
  }

  /** Warns of Segments far deeper than the median; how many there are. */
  #warnOfSkew(depths: readonly number[]): number {
    const median = [...depths].sort((a, b) => a - b)[Math.floor((depths.length - 1) / 2)] ?? 0;
    const bound = SKEW_FACTOR * Math.max(median, SKEW_DEPTH_MIN);
    if (depths.length < 2 || !depths.some((depth) => depth > bound)) return 0;
    let skewed = 0;
    for (const { name: segment, ready } of this.#options.segments.all()) {
      if (ready <= bound) continue;
      skewed++;
      this.#warn("skew", { segment, ready, median }, "a Segment is far deeper than the others");
    }
    return skewed;
  }

  #warn(kind: string, fields: LogFields & { readonly segment: string }, sentence: string): void {
    const { clock, log } = this.#options;
    const key = `${kind} ${fields.segment}`;
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#warned.get(key) ?? Number.NEGATIVE_INFINITY) < WARN_PERIOD_MS) return;
    this.#warned.set(key, nowMs);
    log.warn(fields, sentence);
  }
}

/** The Nodes a Segment may be of: the one it is named after, and the one that opened it on another server, `NODE.SITE`. */
function nodesOf({ name }: SegmentView): readonly string[] {
  const at = name.lastIndexOf(".");
  return at > 0 ? [name, name.slice(0, at)] : [name];
}

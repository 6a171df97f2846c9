/**
 * The Store over several servers (elsewhere: sharding): each Segment lives on one *site*, its home, for ever.
 *
 * Routes are learned from each site's own list of Segments and never guessed, so truth is in one place whatever was
 * cut off, and a call about a Segment goes to its home or nowhere. A site that does not answer refuses the calls for
 * its Segments and holds up nothing else: what is asked of all sites waits a bounded time for each.
 * Nothing is repeated here. Made by app/open-store.ts; knows Stores only by their contract.
 */
import { createHash } from "node:crypto";
import type { Clock, Timer } from "../../base/clock.js";
import { createError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { isAtLeast, type Secured, type StoreDurability } from "../../engine/durability.js";
import type { MemoryUse } from "../../engine/memory-gauge.js";
import type { Placement, SiteHealth } from "../../engine/placement.js";
import type { RestoredCause, SecureParams, Store, StoreListener } from "../../engine/store.js";
import type {
  AnnounceAnswer,
  AnnounceParams,
  CancelParams,
  CancelsAnswer,
  CheckAnswer,
  CheckParams,
  ClaimAnswer,
  ClaimParams,
  CompleteParams,
  CountsAnswer,
  EnqueueAnswer,
  EnqueueFullAnswer,
  EnqueueFullParams,
  EnqueueParams,
  EraseAnswer,
  EraseParams,
  ExplainAnswer,
  ExplainParams,
  ExtendAnswer,
  ExtendParams,
  FailParams,
  FindAnswer,
  FindParams,
  HoldersAnswer,
  HoldersParams,
  LaneOpenAnswer,
  LaneOpenParams,
  LimitSetAnswer,
  LimitSetParams,
  LimitsAnswer,
  LimitsParams,
  ListAnswer,
  ListParams,
  NodeBeatAnswer,
  NodeBeatParams,
  NodeEntry,
  NodeLeaveAnswer,
  NodeLeaveParams,
  OutcomesAnswer,
  PeekAnswer,
  PeekParams,
  ProgressParams,
  PromoteAnswer,
  PromoteParams,
  PruneAnswer,
  PruneParams,
  QueuePauseAnswer,
  QueuePauseParams,
  RedriveParams,
  ReleaseParams,
  RequeueAnswer,
  RequeueParams,
  RescueAnswer,
  RescueParams,
  SurveyAnswer,
  SurveyParams,
} from "../../engine/transitions.js";
import { NodeIndex } from "./node-index.js";
import { Site, type SiteStore } from "./site.js";

/** What a SitesStore is made of. */
export interface SitesStoreOptions {
  readonly app: string;
  /** One per server; each makes a Store that is not open yet. */
  readonly makes: readonly (() => Promise<SiteStore>)[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long `open` waits for all sites once one is open. */
const START_WAIT_MS = 2_000;
/** How long `open` waits for the first. */
const OPEN_TIMEOUT_MS = 10_000;
/** How long a question to all sites waits for each of them. */
const ASK_MS = 500;
/** Between two searches for a Segment that no site has listed. */
const SEARCH_PAUSE_MS = 100;

/** The Store of one App on several servers. */
export class SitesStore implements Store, Placement {
  readonly #options: SitesStoreOptions;
  readonly #sites: readonly Site[];
  /** Segment → its home. Entries never change. */
  readonly #routes = new Map<string, Site>();
  readonly #nodes: NodeIndex;
  readonly #listeners = new Set<StoreListener>();
  #opening: Promise<void> | null = null;
  #isOpen = false;
  #isClosed = false;
  /** Queues this process attends, on every site. */
  #attended: readonly string[] = [];
  /** The search for an unknown Segment that runs or ran last, when it ended, and the one that is to follow. */
  #search: Promise<unknown> = Promise.resolve();
  #searchedMs = Number.NEGATIVE_INFINITY;
  #nextSearch: Promise<ReadonlySet<Site>> | null = null;
  /** Told when a site opened or broke, while `open` waits. */
  #onSite: (() => void) | null = null;

  constructor(options: SitesStoreOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#sites = options.makes.map((make) => {
      const site: Site = new Site({
        make,
        clock,
        logger,
        listener: this.#listenerOf(() => site),
        opened: () => this.#opened(site),
      });
      return site;
    });
    this.#nodes = new NodeIndex(this.#sites, (ask) => this.#askAll(ask));
  }

  get url(): string {
    return this.#sites.map(({ url }) => url).join(" ");
  }

  /** That of the site which promises least. */
  get durability(): StoreDurability {
    const all = this.#sites.flatMap(({ store }) => (store === null ? [] : [store.durability]));
    const isChecked = all.length === this.#sites.length && all.every((one) => one.isChecked);
    const weakest = (levels: readonly StoreDurability["level"][]) =>
      levels.length === 0 ? "memory" : levels.reduce((least, level) => (isAtLeast(level, least) ? least : level));
    return {
      level: weakest(all.map(({ level }) => level)),
      isChecked,
      best: weakest(all.map(({ best }) => best)),
      replicates: all.every(({ replicates }) => replicates),
    };
  }

  /** All sites that answer in time. Errors: MR_STORE_UNAVAILABLE. */
  async memory(): Promise<readonly MemoryUse[]> {
    const answers = await this.#askAll((site) => site.call((store) => store.memory()));
    if (answers.length === 0) throw createError("MR_STORE_UNAVAILABLE", { store: this.url, reason: "none answers" });
    return answers.flatMap(({ answer }) => answer);
  }

  // ── Life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Resolves when every site is open, or one is and the others were given a moment. Errors: as a Store's `open`. */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    const { clock } = this.#options;
    await Promise.all(this.#sites.map((site) => site.begin()));
    const startMs = clock.monotonicMs();
    for (;;) {
      const broken = this.#sites.find(({ error }) => error !== null)?.error;
      if (broken !== undefined && broken !== null) throw broken;
      const open = this.#sites.filter(({ wasOpen }) => wasOpen).length;
      if (open === this.#sites.length) break;
      const leftMs = startMs + (open > 0 ? START_WAIT_MS : OPEN_TIMEOUT_MS) - clock.monotonicMs();
      if (leftMs <= 0 && open > 0) break;
      if (leftMs <= 0) {
        throw createError("MR_STORE_UNAVAILABLE", {
          store: this.url,
          reason: `none answered in ${OPEN_TIMEOUT_MS} ms`,
        });
      }
      await this.#siteOrTimer(leftMs);
    }
    this.#onSite = null;
    this.#isOpen = true;
    await this.#learnAll();
  }

  #siteOrTimer(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(ms, resolve);
      this.#onSite = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** A site is open: it must be another one than those we have. */
  #opened(site: Site): void {
    // A turn later: the site takes note of its own state first.
    queueMicrotask(() => {
      this.#onSite?.();
      void site.store?.attend(this.#attended);
      if (!this.#isOpen || !site.wasOpen) return;
      void this.#learn(site)
        .then(() => this.#tellRestored(site, "reconnected"))
        .catch(() => undefined); // the next reading of the lists tells
    });
    const twin = this.#sites.find((other) => other !== site && other.name === site.name);
    if (twin === undefined) return;
    const reason = `it is the same server as ${twin.url}; list each server once`;
    throw createError("MR_STORE_UNSAFE", { store: site.url, reason });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#sites.map((site) => site.close()));
  }

  async ready(segment?: string): Promise<void> {
    const home = segment === undefined ? undefined : this.#routes.get(segment);
    if (home !== undefined) return await home.ready();
    if (this.#isClosed) throw this.#closed("ready");
    // A Segment without a known home may turn up on any site.
    await Promise.any(this.#sites.map((site) => site.ready())).catch(() => {
      throw this.#closed("ready");
    });
  }

  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #listenerOf(site: () => Site): StoreListener {
    const all = this.#listeners;
    return {
      bell: (segment, queue, cause, priority) => {
        this.#route(segment, site());
        for (const listener of all) listener.bell(segment, queue, cause, priority);
      },
      due: (segment, inMs) => {
        for (const listener of all) listener.due(segment, inMs);
      },
      settled: (outcome) => {
        for (const listener of all) listener.settled(outcome);
      },
      progressed: (id, value) => {
        for (const listener of all) listener.progressed(id, value);
      },
      marked: (segment, owner) => {
        for (const listener of all) listener.marked(segment, owner);
      },
      restored: (_, cause) => this.#tellRestored(site(), cause),
    };
  }

  #tellRestored(site: Site, cause: RestoredCause): void {
    const segments = this.#segmentsOf(site);
    for (const listener of this.#listeners) listener.restored(segments, cause);
  }

  // ── Routes ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #segmentsOf(site: Site): string[] {
    const segments: string[] = [];
    for (const [segment, home] of this.#routes) if (home === site) segments.push(segment);
    return segments;
  }

  #route(segment: string, site: Site): void {
    const home = this.#routes.get(segment);
    if (home === undefined) this.#routes.set(segment, site);
    else if (home !== site && !site.segments.has(segment)) {
      const { logger } = this.#options;
      logger.error({ segment, home: home.url, also: site.url }, "two servers list one Segment: the first is used");
    }
    site.segments.add(segment);
  }

  /** Reads a site's own list. Errors: those of the call. */
  async #learn(site: Site): Promise<void> {
    for (const segment of await site.call((store) => store.segments())) this.#route(segment, site);
  }

  /** Reads all lists; answers whose came in time. */
  async #learnAll(): Promise<ReadonlySet<Site>> {
    const answers = await this.#askAll((site) => this.#learn(site));
    return new Set(answers.map(({ site }) => site));
  }

  /** Asks every site that answers, at once; waits for each at most ASK_MS. What it gets are the answers in time. */
  async #askAll<Answer>(ask: (site: Site) => Promise<Answer>): Promise<{ site: Site; answer: Answer }[]> {
    const { clock } = this.#options;
    const answers: { site: Site; answer: Answer }[] = [];
    const asked = this.#sites.filter(({ health }) => health.isAnswering);
    if (asked.length === 0) return answers;
    await new Promise<void>((resolve) => {
      let open = asked.length;
      let timer: Timer | null = clock.setTimer(ASK_MS, resolve);
      const done = () => {
        if (--open > 0) return;
        timer?.cancel();
        timer = null;
        resolve();
      };
      for (const site of asked) {
        ask(site).then((answer) => {
          answers.push({ site, answer });
          done();
        }, done);
      }
    });
    return [...answers];
  }

  /** The home of a Segment, searched for if need be. Errors: MR_STORE_UNAVAILABLE while a site may have it, MR_NOT_FOUND. */
  async #homeOf(segment: string): Promise<Site> {
    if (this.#isClosed) throw this.#closed("the call");
    const heard = await this.#searchAnew();
    const home = this.#routes.get(segment);
    if (home !== undefined) return home;
    const silent = this.#sites.filter((site) => !heard.has(site));
    if (silent.length === 0) throw createError("MR_NOT_FOUND", { kind: "Segment", id: segment });
    const store = silent.map(({ url }) => url).join(" ");
    throw createError("MR_STORE_UNAVAILABLE", { store, reason: `Segment ${segment} may be there, and it is away` });
  }

  /**
   * Answers the sites that told their list in a search that began after this call: an earlier one may have missed a
   * Segment made since, or a site that came back since. However many ask, searches follow each other with a pause.
   */
  #searchAnew(): Promise<ReadonlySet<Site>> {
    this.#nextSearch ??= this.#searchNext();
    return this.#nextSearch;
  }

  async #searchNext(): Promise<ReadonlySet<Site>> {
    const { clock } = this.#options;
    await this.#search;
    const leftMs = this.#searchedMs + SEARCH_PAUSE_MS - clock.monotonicMs();
    if (leftMs > 0) await new Promise<void>((resolve) => clock.setTimer(leftMs, resolve));
    this.#nextSearch = null;
    const search = this.#learnAll();
    this.#search = search.finally(() => {
      this.#searchedMs = clock.monotonicMs();
    });
    return await search;
  }

  #at<Answer>(segment: string, call: (store: Store) => Promise<Answer>): Promise<Answer> {
    const home = this.#routes.get(segment);
    return home === undefined ? this.#homeOf(segment).then((found) => found.call(call)) : home.call(call);
  }

  #closed(method: string): Error {
    return createError("MR_APP_CLOSED", { app: this.#options.app, method });
  }

  // ── Bells ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async attend(queues: readonly string[]): Promise<boolean> {
    this.#attended = queues;
    const told = new Map(this.#sites.map((site) => [site, site.store?.attend(queues)]));
    // One that does not answer attends as soon as it can; nobody waits for that.
    await this.#askAll(async (site) => await told.get(site));
    return true;
  }

  callForHelp(segment: string, queue: string, priority: number): Promise<void> {
    return this.#at(segment, (store) => store.callForHelp(segment, queue, priority));
  }

  // ── Placement ────────────────────────────────────────────────────────────────────────────────────────────────────

  async openHome(node: string): Promise<string | null> {
    if (!this.#routes.has(node)) {
      const seen = await this.#askAll((site) => this.#learn(site));
      if (!this.#routes.has(node)) {
        if (seen.length < this.#sites.length) return null;
        const [home] = ranked(this.#sites, node);
        if (home === undefined) return null;
        await home.call((store) => store.openSegment(node));
        this.#route(node, home);
        return node;
      }
    }
    await this.#at(node, (store) => store.openSegment(node));
    return node;
  }

  async openElsewhere(node: string): Promise<string | null> {
    const home = this.#routes.get(node);
    const candidates = this.#sites.filter((site) => site !== home && site.health.isAnswering);
    for (const site of ranked(candidates, node)) {
      const segment = `${node}.${site.name}`;
      try {
        await site.call((store) => store.openSegment(segment));
      } catch {
        continue; // the next one
      }
      this.#route(segment, site);
      return segment;
    }
    return null;
  }

  health(segment: string): SiteHealth {
    const home = this.#routes.get(segment);
    return home === undefined ? { isAnswering: false, sinceMs: Number.NEGATIVE_INFINITY } : home.health;
  }

  // ── Directory ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The Segments of the sites that answer. */
  async segments(): Promise<readonly string[]> {
    if (this.#isClosed) throw this.#closed("segments");
    await this.#learnAll();
    const reached = this.#sites.filter(({ health }) => health.isAnswering);
    if (reached.length === 0) throw createError("MR_STORE_UNAVAILABLE", { store: this.url, reason: "none answers" });
    return reached.flatMap((site) => this.#segmentsOf(site)).sort();
  }

  async openSegment(segment: string): Promise<void> {
    if ((await this.openHome(segment)) !== null) return;
    const reason = "a server was not seen yet on which the Segment may lie";
    throw createError("MR_STORE_UNAVAILABLE", { store: this.url, reason });
  }

  /** A pause holds everywhere or is refused: every site must take it. */
  async recordPause(queue: string, isPaused: boolean): Promise<void> {
    const taken = await Promise.allSettled(
      this.#sites.map((site) => site.call((store) => store.recordPause(queue, isPaused))),
    );
    for (const one of taken) if (one.status === "rejected") throw one.reason;
  }

  async nodes(): Promise<readonly NodeEntry[]> {
    return await this.#nodes.read();
  }

  async nodeBeat(params: NodeBeatParams): Promise<NodeBeatAnswer> {
    const answer = await this.#nodes.beat(params);
    if (answer === null) throw createError("MR_STORE_UNAVAILABLE", { store: this.url, reason: "none answers" });
    return answer;
  }

  async nodeLeave(params: NodeLeaveParams): Promise<NodeLeaveAnswer> {
    return await this.#nodes.leave(params);
  }

  // ── Transitions ──────────────────────────────────────────────────────────────────────────────────────────────────

  laneOpen(segment: string, params: LaneOpenParams): Promise<LaneOpenAnswer> {
    return this.#at(segment, (store) => store.laneOpen(segment, params));
  }

  enqueue(segment: string, params: EnqueueParams): Promise<EnqueueAnswer> {
    return this.#at(segment, (store) => store.enqueue(segment, params));
  }

  enqueueFull(segment: string, params: EnqueueFullParams): Promise<EnqueueFullAnswer> {
    return this.#at(segment, (store) => store.enqueueFull(segment, params));
  }

  claim(segment: string, params: ClaimParams): Promise<ClaimAnswer> {
    return this.#at(segment, (store) => store.claim(segment, params));
  }

  extend(segment: string, params: ExtendParams): Promise<ExtendAnswer> {
    return this.#at(segment, (store) => store.extend(segment, params));
  }

  complete(segment: string, params: CompleteParams): Promise<OutcomesAnswer> {
    return this.#at(segment, (store) => store.complete(segment, params));
  }

  fail(segment: string, params: FailParams): Promise<OutcomesAnswer> {
    return this.#at(segment, (store) => store.fail(segment, params));
  }

  release(segment: string, params: ReleaseParams): Promise<OutcomesAnswer> {
    return this.#at(segment, (store) => store.release(segment, params));
  }

  secure(segment: string, params: SecureParams): Promise<Secured> {
    return this.#at(segment, (store) => store.secure(segment, params));
  }

  cancel(segment: string, params: CancelParams): Promise<CancelsAnswer> {
    return this.#at(segment, (store) => store.cancel(segment, params));
  }

  promote(segment: string, params: PromoteParams): Promise<PromoteAnswer> {
    return this.#at(segment, (store) => store.promote(segment, params));
  }

  rescue(segment: string, params: RescueParams): Promise<RescueAnswer> {
    return this.#at(segment, (store) => store.rescue(segment, params));
  }

  requeue(segment: string, params: RequeueParams): Promise<RequeueAnswer> {
    return this.#at(segment, (store) => store.requeue(segment, params));
  }

  redrive(segment: string, params: RedriveParams): Promise<RequeueAnswer> {
    return this.#at(segment, (store) => store.redrive(segment, params));
  }

  prune(segment: string, params: PruneParams): Promise<PruneAnswer> {
    return this.#at(segment, (store) => store.prune(segment, params));
  }

  progress(segment: string, params: ProgressParams): Promise<OutcomesAnswer> {
    return this.#at(segment, (store) => store.progress(segment, params));
  }

  find(segment: string, params: FindParams): Promise<FindAnswer> {
    return this.#at(segment, (store) => store.find(segment, params));
  }

  peek(segment: string, params: PeekParams): Promise<PeekAnswer> {
    return this.#at(segment, (store) => store.peek(segment, params));
  }

  list(segment: string, params: ListParams): Promise<ListAnswer> {
    return this.#at(segment, (store) => store.list(segment, params));
  }

  survey(segment: string, params: SurveyParams): Promise<SurveyAnswer> {
    return this.#at(segment, (store) => store.survey(segment, params));
  }

  holders(segment: string, params: HoldersParams): Promise<HoldersAnswer> {
    return this.#at(segment, (store) => store.holders(segment, params));
  }

  announce(segment: string, params: AnnounceParams): Promise<AnnounceAnswer> {
    return this.#at(segment, (store) => store.announce(segment, params));
  }

  erase(segment: string, params: EraseParams): Promise<EraseAnswer> {
    return this.#at(segment, (store) => store.erase(segment, params));
  }

  check(segment: string, params: CheckParams): Promise<CheckAnswer> {
    return this.#at(segment, (store) => store.check(segment, params));
  }

  explain(segment: string, params: ExplainParams): Promise<ExplainAnswer> {
    return this.#at(segment, (store) => store.explain(segment, params));
  }

  counts(segment: string): Promise<CountsAnswer> {
    return this.#at(segment, (store) => store.counts(segment));
  }

  queuePause(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer> {
    return this.#at(segment, (store) => store.queuePause(segment, params));
  }

  queueResume(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer> {
    return this.#at(segment, (store) => store.queueResume(segment, params));
  }

  limitSet(segment: string, params: LimitSetParams): Promise<LimitSetAnswer> {
    return this.#at(segment, (store) => store.limitSet(segment, params));
  }

  limits(segment: string, params: LimitsParams): Promise<LimitsAnswer> {
    return this.#at(segment, (store) => store.limits(segment, params));
  }
}

/**
 * Sites in the order in which a Node prefers them: by a hash of both names, so that all processes of a Node agree
 * without a word, Nodes spread over sites, and a site more moves as few as can be.
 */
function ranked(sites: readonly Site[], node: string): readonly Site[] {
  const rankOf = (site: Site) => createHash("sha1").update(`${node} ${site.name}`).digest("hex");
  return sites
    .map((site) => ({ site, rank: rankOf(site) }))
    .sort((a, b) => (a.rank < b.rank ? 1 : -1))
    .map(({ site }) => site);
}

/**
 * The App's index of Nodes over several sites: every incarnation beats on every site that answers, and what is read is
 * put together. A beat counter over all sites is the sum of those of each; a site that does not answer keeps its last
 * words, so that its silence moves no counter.
 */
import type {
  NodeBeatAnswer,
  NodeBeatParams,
  NodeEntry,
  NodeLeaveAnswer,
  NodeLeaveParams,
} from "../../engine/transitions.js";
import type { Site } from "./site.js";

/** Asks every site that answers, and waits for each a bounded time. */
export type AskAll = <Answer>(
  ask: (site: Site) => Promise<Answer>,
) => Promise<readonly { readonly site: Site; readonly answer: Answer }[]>;

/** The index of one App. */
export class NodeIndex {
  readonly #sites: readonly Site[];
  readonly #askAll: AskAll;
  /** What each site listed last, by incarnation. */
  readonly #listed = new Map<Site, ReadonlyMap<string, NodeEntry>>();

  constructor(sites: readonly Site[], askAll: AskAll) {
    this.#sites = sites;
    this.#askAll = askAll;
  }

  /** All entries; an incarnation on several sites comes once. */
  async read(): Promise<readonly NodeEntry[]> {
    const answers = await this.#askAll((site) => site.call((store) => store.nodes()));
    for (const { site, answer } of answers) {
      this.#listed.set(site, new Map(answer.map((entry) => [entry.incarnation, entry])));
    }
    const merged = new Map<string, NodeEntry>();
    for (const site of this.#sites) {
      for (const entry of this.#listed.get(site)?.values() ?? []) {
        const present = merged.get(entry.incarnation);
        merged.set(entry.incarnation, { ...entry, beat: entry.beat + (present?.beat ?? 0) });
      }
    }
    return [...merged.values()];
  }

  /** Beats everywhere; null if no site took it. The elders of one site are elders. */
  async beat(params: NodeBeatParams): Promise<NodeBeatAnswer | null> {
    const answers = await this.#askAll((site) => site.call((store) => store.nodeBeat(params)));
    if (answers.length === 0) return null;
    const elders = new Map<string, NodeEntry>();
    let beat = 0;
    for (const { answer } of answers) {
      beat += answer.beat;
      for (const elder of answer.elders) {
        const present = elders.get(elder.incarnation);
        elders.set(elder.incarnation, { ...elder, beat: elder.beat + (present?.beat ?? 0) });
      }
    }
    return { beat, elders: [...elders.values()] };
  }

  /** Leaves everywhere; one seen silent, where it stands as it was read last. */
  async leave({ incarnation, beat }: NodeLeaveParams): Promise<NodeLeaveAnswer> {
    const seen = new Map(this.#sites.map((site) => [site, this.#listed.get(site)?.get(incarnation)?.beat ?? 0]));
    const sum = [...seen.values()].reduce((total, one) => total + one, 0);
    if (beat !== null && beat !== sum) return { answer: sum === 0 ? "missing" : "stale" };
    const answers = await this.#askAll((site) => {
      const params = { incarnation, beat: beat === null ? null : (seen.get(site) ?? 0) };
      return site.call((store) => store.nodeLeave(params));
    });
    const words = new Set(answers.map(({ answer }) => answer.answer));
    return { answer: words.has("stale") ? "stale" : words.has("ok") ? "ok" : "missing" };
  }
}

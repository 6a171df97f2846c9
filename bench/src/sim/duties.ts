/**
 * What Foremen ask of the server whether or not there is work, by number of Nodes: rates, elements and processor share.
 * Pure arithmetic over the periods of core/src/foreman: one Foreman and one Segment for each Node.
 */
import { FOREMAN_TIMES } from "@millrace/core/internal";
import { costOf, type Line, type ServerCosts } from "./costs.js";

/** Segments one round of the survey, or of pruning, looks at (foreman/surveyor.ts, foreman/pruner.ts). */
const SEGMENTS_A_ROUND = 64;
/** Survey rounds between two readings of the list of Segments (foreman/surveyor.ts). */
const REFRESH_ROUNDS = 3;
/** Entries of the Node index for which it is read once a round; larger ones are read more seldom (foreman/nodes.ts). */
const ENTRIES_A_ROUND = 100;

/** One kind of call, all Nodes together. */
export interface DutyLoad {
  readonly name: string;
  readonly callsPerSecond: number;
  /** Elements one call answers with. */
  readonly elements: number;
  /** Share of one core of the server, 0…; above 1 it cannot be. */
  readonly share: number;
}

/** The load of so many Nodes, duty by duty. */
export function dutiesOf(nodes: number, costs: ServerCosts): readonly DutyLoad[] {
  const beatS = FOREMAN_TIMES.beatMs / 1_000;
  const surveyS = FOREMAN_TIMES.surveyMs / 1_000;
  const pruneS = FOREMAN_TIMES.pruneMs / 1_000;
  const looked = Math.min(nodes, SEGMENTS_A_ROUND);
  const indexRounds = Math.ceil(nodes / ENTRIES_A_ROUND);
  return [
    duty("survey (counts)", (nodes * looked) / surveyS, 0, costs.counts),
    duty("list of Segments", nodes / (surveyS * REFRESH_ROUNDS), nodes, costs.segments),
    duty("beat in a Segment", nodes / beatS, 0, costs.extend),
    duty("beat in the Node index", nodes / beatS, 0, costs.nodeBeat),
    duty("Node index", nodes / (beatS * indexRounds), nodes, costs.nodes),
    duty("prune", (nodes * looked) / pruneS, 0, costs.prune),
  ];
}

/** All duties together: share of one core. */
export function shareOf(duties: readonly DutyLoad[]): number {
  return duties.reduce((sum, { share }) => sum + share, 0);
}

/** The largest number of Nodes whose load stays at or below `limit` of a core, if `loadOf` grows with it. */
export function nodesWithin(limit: number, loadOf: (nodes: number) => number): number {
  let low = 0;
  let high = 1;
  while (high < 1_000_000 && loadOf(high) <= limit) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (loadOf(middle) <= limit) low = middle;
    else high = middle;
  }
  return low;
}

function duty(name: string, callsPerSecond: number, elements: number, line: Line): DutyLoad {
  return { name, callsPerSecond, elements, share: (callsPerSecond * costOf(line, elements)) / 1e6 };
}

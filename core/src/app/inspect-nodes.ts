/**
 * The processes that execute an App, for inspection: as this one has watched them, else as the App's index lists them.
 * Used by the explanations and the records of Steps.
 */
import { decodeAbout, type NodeAbout } from "../engine/node.js";
import type { InspectServices } from "./inspect-services.js";

/** One process of the index of Nodes. */
export interface SeenNode {
  readonly incarnation: string;
  readonly node: string;
  /** What it says of itself; null if that is not understood. */
  readonly about: NodeAbout | null;
  /** Whether it was seen to beat; null if this process has not watched. */
  readonly isLive: boolean | null;
  readonly silentMs: number;
}

/** As this process has seen them, else as the index lists them. Errors: those of the store. */
export async function nodesOf({ reach, nodes }: InspectServices): Promise<readonly SeenNode[]> {
  const seen = nodes();
  if (seen.length > 0) return seen;
  const entries = await reach.call((store) => store.nodes());
  return entries.map(({ incarnation, node, about }) => {
    return { incarnation, node, about: decodeAbout(about), isLive: null, silentMs: 0 };
  });
}

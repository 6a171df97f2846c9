/**
 * What an App lends its inspection, so that the parts of it know no App.
 */
import type { NodeView } from "../foreman/nodes.js";
import type { SearchIndex } from "../queue/search-index.js";
import type { StepDefinition } from "../workflow/step.js";
import type { Reach } from "./reach.js";

/** The services of an App to app.inspect. */
export interface InspectServices {
  readonly reach: Reach;
  /** Processes as this one has seen them; none while it does not execute. */
  readonly nodes: () => readonly NodeView[];
  /** The Steps declared here. */
  readonly steps: () => readonly StepDefinition[];
  /** The index for searches that this process keeps, null if it keeps none. */
  readonly index: () => SearchIndex | null;
}

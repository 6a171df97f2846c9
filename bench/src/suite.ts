/** All benches, in the order a newcomer would run them. */
import type { Bench } from "./bench.js";
import { latency } from "./macro/latency.js";
import { memory } from "./macro/memory.js";
import { throughput } from "./macro/throughput.js";
import { limits } from "./micro/limits.js";
import { lua } from "./micro/lua.js";
import { ring } from "./micro/ring.js";
import { roundtrip } from "./micro/roundtrip.js";
import { nodes } from "./nodes/nodes.js";
import { recovery } from "./recovery/recovery.js";
import { sim } from "./sim/sim.js";
import { tune } from "./tune/tune.js";
import { compat } from "./versus/compat.js";
import { versus } from "./versus/versus.js";

/** The benches `npm run bench -- <name>` knows. */
export const suite: readonly Bench[] = [
  lua,
  limits,
  ring,
  roundtrip,
  memory,
  throughput,
  latency,
  nodes,
  recovery,
  tune,
  sim,
  versus,
  compat,
];

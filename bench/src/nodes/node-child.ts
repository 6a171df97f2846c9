/** The process of one Node: wiring only. */
import { servePeer } from "../tool/peer.js";
import { type NodeCalls, NodeProgram } from "./node-program.js";

const program = new NodeProgram((account) => note(account));
const note = servePeer<NodeCalls>(
  {
    open: (spec) => program.open(spec),
    saturate: (spec) => program.saturate(spec),
    offer: (spec) => program.offer(spec),
    report: () => program.report(),
    usage: () => program.usage(),
    close: () => program.close(),
  },
  (more) => program.grant(Number(more)),
);

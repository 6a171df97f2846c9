/**
 * Two Nodes of one App, in one program so that it can be tried at once. Give it the URLs of one or more Redis servers:
 *
 *   node docs/examples/dist/many-nodes/main.js redis://127.0.0.1:6379 redis://127.0.0.1:6380
 *
 * Prints:
 *   web-1 put order 1 into Segment web-1
 *   web-2 put order 2 into Segment web-2
 *   order 1 is packed
 *   order 2 is packed
 */
import { App } from "@millrace/core";

const servers = process.argv.slice(2);

/** What each machine of yours would run; there, leave out `nodeId` and set NODE_ID, or let the host name do. */
function makeNode(nodeId: string) {
  const app = new App({ id: "orders", store: servers, nodeId });
  const pack = app.step("pack", async ({ order }: { order: number }) => `order ${order} is packed`);
  return { app, pack };
}

const nodes = [makeNode("web-1"), makeNode("web-2")];
for (const { app } of nodes) await app.start();

const handles = [];
for (const [i, { app, pack }] of nodes.entries()) {
  const order = i + 1;
  const handle = await pack.enqueue({ order });
  // An id is Segment, incarnation, counter: the Segment alone may contain dots.
  const segment = handle.id.split(".").slice(0, -2).join(".");
  console.log(`${app.nodeId} put order ${order} into Segment ${segment}`);
  handles.push(handle);
}
// Whichever Node runs it, whoever holds the handle gets the result.
for (const handle of handles) console.log(await handle.result());

for (const { app } of nodes) await app.close();

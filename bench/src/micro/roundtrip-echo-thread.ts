/** The other end of the bare ways: sends back what comes, by the port it comes from; nothing is decoded or run. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";

const port = (workerData as { readonly port: MessagePort | null }).port ?? parentPort; // roundtrip-way.ts gives this
port?.on("message", (message) => port.postMessage(message));

/**
 * A client that dies after send: enqueues a few errands, sends some more, and is gone before it hears what became of
 * them. One argument, JSON of `DoomedOptions`.
 */
import { App } from "@millrace/core";
import { Dice } from "../../sim/dice.js";
import { journalOf, sharedMs, write } from "../foremen/journal.js";
import { declareErrands, digestOf, type Errand } from "./errands.js";

/** What it is told. */
export interface DoomedOptions {
  readonly store: string;
  readonly app: string;
  readonly dir: string;
  readonly segment: string;
  readonly seed: number;
}

const batchOf = 10;
const diesWithinMs = 60;

const { store, app: id, dir, segment, seed } = JSON.parse(process.argv[2] ?? "{}") as DoomedOptions; // written by stage.ts
const dice = new Dice(seed);
const journal = journalOf(dir);
const app = new App({ id, store, nodeId: segment, network: { timeout: "30m" } });
const { plain } = declareErrands(app, async () => Promise.reject(new Error("the client runs nothing")));

const first = errandOf(0);
write(journal, { kind: "ask", hash: digestOf(first), atMs: sharedMs() });
const { id: firstId } = await plain.enqueue(first);
write(journal, { kind: "enqueue", id: firstId, hash: digestOf(first), answer: "acknowledged", atMs: sharedMs() });

const errands = Array.from({ length: batchOf }, (_, i) => errandOf(i + 1));
for (const errand of errands)
  write(journal, { kind: "ask", hash: digestOf(errand), atMs: sharedMs(), batch: `doomed-${seed}` });
for (const errand of errands) plain.enqueue(errand).catch(() => undefined); // nobody will hear of it
if (seed % 2 === 0) process.kill(process.pid, "SIGKILL"); // before anything is sent
setTimeout(() => process.kill(process.pid, "SIGKILL"), dice.between(0, diesWithinMs));

function errandOf(n: number): Errand {
  return { n, text: `doomed-${seed}-${dice.word()}`, ms: dice.between(2, 20) };
}

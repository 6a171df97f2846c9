/**
 * Why an Operation is where it is, told from what the stores know: its own record, its Queue, what it is tied to
 * (inspect-ties.ts), who attends it.
 */
import { isMillraceError } from "../base/errors.js";
import type { PlacedDot } from "../engine/dot.js";
import { mayHave } from "../engine/node.js";
import type { OperationState } from "../engine/operation.js";
import type { CountsAnswer, ListAnswer } from "../engine/transitions.js";
import type { Found } from "../queue/finder.js";
import { isKeyedSegment } from "../queue/keyed-producer.js";
import { nodesOf, type SeenNode } from "./inspect-nodes.js";
import { type Reason, reasonOf } from "./inspect-reason.js";
import type { InspectServices } from "./inspect-services.js";
import { type TieReasons, tieReasons } from "./inspect-ties.js";
import { type OperationView, operationViewOf } from "./inspect-view.js";
import { reasonOf as reasonGiven } from "./status.js";

/** What `explain` answers. */
export interface Explanation {
  readonly id: string;
  readonly state: OperationState | "pruned" | "unknown" | null;
  /** It waits, and nothing but its turn stands in the way. */
  readonly isRunnable: boolean;
  readonly reasons: readonly Reason[];
  /**
   * Its place, from 1: in its Queue in its Segment, or where its order key, limit or rate keeps it; null if it is not
   * ready, or further back than was looked.
   */
  readonly position: number | null;
}

const PAGE = 250;
/** How many pages of a Queue are read to find a place in it. */
const PAGES_MAX = 40;
/** How long a store may keep an explanation waiting, in milliseconds. */
const PATIENCE_MS = 3_000;
/** Names told in a text. */
const NAMES_MAX = 5;

/** Explains one Operation. Errors: MR_APP_CLOSED, and what is wrong with the store beyond being away. */
export async function explain(services: InspectServices, id: string, placed: PlacedDot): Promise<Explanation> {
  const { reach } = services;
  const away = new Promise<"away">((resolve) => {
    reach
      .clock()
      .setTimer(PATIENCE_MS, () => resolve("away"))
      .unref();
  });
  try {
    const told = tell(services, id, placed);
    const found = await Promise.race([told, away]);
    if (found !== "away") return found;
    told.catch(() => undefined); // it is not waited for any more
    return awayExplanation(id, `the store has not answered for ${PATIENCE_MS} ms`);
  } catch (error) {
    if (!isMillraceError(error, "MR_STORE_UNAVAILABLE") && !isMillraceError(error, "MR_INDETERMINATE")) throw error;
    return awayExplanation(id, error.message);
  }
}

function awayExplanation(id: string, text: string): Explanation {
  const reason = reasonOf("store_away", `The store is away: ${text}`);
  return { id, state: null, isRunnable: false, reasons: [reason], position: null };
}

async function tell(services: InspectServices, id: string, { segment, dot }: PlacedDot): Promise<Explanation> {
  const { reach } = services;
  await reach.opened("inspect.explain");
  const segments = await reach.call((store) => store.segments());
  if (!segments.includes(segment)) {
    return ended(id, "unknown", reasonOf("unknown", `Segment ${segment} is not known in this App.`));
  }
  const found: Found = await reach.finder().find(segment, dot);
  if (found === "missing") return ended(id, "unknown", reasonOf("unknown", "It was never enqueued here."));
  if (found === "pruned") {
    return ended(id, "pruned", reasonOf("pruned", "It is over, and its record is past its retention."));
  }
  const view = operationViewOf(found, segment);
  switch (found.state) {
    case "scheduled":
      return explained(id, found.state, [scheduledReason(view, await tieReasons(reach, segment, dot))]);
    case "ready":
      return await explainReady(view, segment, services, await tieReasons(reach, segment, dot));
    case "running":
      return explained(id, found.state, runningReasons(view, await nodesOf(services)));
    default:
      return ended(id, found.state, finishedReason(view, found.value));
  }
}

function scheduledReason(view: OperationView, { key }: TieReasons): Reason {
  const until = view.dueAt;
  const when = until === null ? "later" : `at ${until.toISOString()}`;
  if (view.attempt > 0) {
    const text = `Attempt ${view.attempt} failed${errorText(view)}; the next one is due ${when}.`;
    return { ...reasonOf("waiting_retry", text), until };
  }
  // Debounced, or delayed beside its dedupe key: whichever comes next of that key may take its place till then.
  const holds = key === null ? "" : `, and holds the key "${key}"`;
  const blocker = key === null ? null : { kind: "key", id: key };
  return { ...reasonOf("waiting_time", `It is due ${when}${holds}.`), since: view.enqueuedAt, until, blocker };
}

function runningReasons(view: OperationView, nodes: readonly SeenNode[]): Reason[] {
  const { owner, startedAt } = view;
  const node = nodes.find(({ incarnation }) => incarnation === owner);
  const where = node === undefined ? "" : ` on ${node.node}${node.about === null ? "" : `, process ${node.about.pid}`}`;
  const holders = owner === null ? [] : [owner];
  const running = `Attempt ${view.attempt} runs${where}, held by ${owner ?? "nobody known"}.`;
  const reasons: Reason[] = [{ ...reasonOf("running", running), since: startedAt, holders }];
  if (node?.isLive === false) {
    const text = `Its owner has not beaten for ${Math.round(node.silentMs / 1000)} s: it is taken back once the Lease is over.`;
    reasons.push({ ...reasonOf("node_gone", text), blocker: { kind: "node", id: node.node } });
  }
  if (view.isCancelRequested)
    reasons.push(reasonOf("cancel_requested", "It was asked to end; its Worker has not yet."));
  return reasons;
}

function finishedReason(view: OperationView, value: Uint8Array | null): Reason {
  const at = view.finishedAt;
  const why = view.state === "cancelled" || view.state === "skipped" ? `: ${reasonGiven(value)}` : errorText(view);
  const text = `It is ${view.state} since ${at?.toISOString() ?? "some time"}${why}.`;
  return { ...reasonOf("finished", text), since: at };
}

function errorText({ error }: OperationView): string {
  return error === null ? "" : `: ${error.code ?? error.name}: ${error.message.split("\n", 1)[0] ?? ""}`;
}

// ── Ready ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function explainReady(
  view: OperationView,
  segment: string,
  services: InspectServices,
  tied: TieReasons,
): Promise<Explanation> {
  const { reach } = services;
  const queue = view.queue ?? "";
  const counts = await reach.call((store) => store.counts(segment));
  // What is kept is on no list.
  const isKept = view.blocked !== null;
  const place = isKept ? null : await placeIn(services, segment, queue, view.id);
  // What the list says of it is newer, and knows the Step, which a waiting Operation's own record does not.
  const seen = place?.view ?? view;
  const nodes = await nodesOf(services);
  const reasons: Reason[] = [];
  if (isPaused(counts, queue)) {
    const text = `Queue ${queue} is paused: nothing of it starts until it is resumed.`;
    reasons.push({ ...reasonOf("queue_paused", text), blocker: { kind: "queue", id: queue } });
  }
  reasons.push(...attendance(seen, queue, segment, nodes));
  reasons.push(...tied.reasons);
  if (view.blocked !== null && tied.reasons.length === 0) {
    const text = `It is kept by its ${view.blocked.by}, which has room: those let on before it were not claimed yet.`;
    reasons.push({ ...reasonOf("order_behind", text), blocker: { kind: view.blocked.by, id: view.blocked.key } });
  }
  const isRunnable = reasons.length === 0 || reasons.every(({ code }) => code === "node_gone");
  if (isKept) {
    const position = tied.before === null ? null : tied.before + 1;
    return { id: view.id, state: "ready", isRunnable, reasons, position };
  }
  reasons.push(...turn(place, queue, segment));
  return { id: view.id, state: "ready", isRunnable, reasons, position: place?.position ?? null };
}

function isPaused(counts: CountsAnswer, queue: string): boolean {
  return counts.queues.some((one) => one.queue === queue && one.isPaused);
}

interface Place {
  readonly position: number;
  /** How many of those before it have a larger priority. */
  readonly higher: number;
  readonly first: string | null;
  readonly view: OperationView;
}

/** Looks for it in its Queue, page by page. */
async function placeIn({ reach }: InspectServices, segment: string, queue: string, id: string): Promise<Place | null> {
  let before = 0;
  let first: string | null = null;
  const priorities: number[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const params = { of: { state: "ready" as const, queue }, cursor, max: PAGE };
    const answer: ListAnswer = await reach.call((store) => store.list(segment, params));
    for (const record of answer.records) {
      if (record.id === id) {
        const higher = priorities.filter((priority) => priority > record.priority).length;
        return { position: before + 1, higher, first, view: operationViewOf(record, segment) };
      }
      first ??= record.id;
      priorities.push(record.priority);
      before++;
    }
    cursor = answer.cursor;
    if (cursor === null) return null;
  }
  return null;
}

function turn(place: Place | null, queue: string, segment: string): Reason[] {
  const of = `Queue ${queue} of Segment ${segment}`;
  if (place === null) {
    return [
      reasonOf("order_behind", `It is ready in ${of}, not among the first ${PAGE * PAGES_MAX}, or is being claimed.`),
    ];
  }
  const { position, higher, first } = place;
  if (position === 1) return [];
  const blocker = first === null ? null : { kind: "operation", id: first };
  const text = `It is ready at position ${position} of ${of}`;
  const behind: Reason = {
    ...reasonOf("order_behind", `${text}, behind ${position - 1 - higher} of its priority.`),
    blocker,
  };
  if (higher === 0) return [behind];
  const outranked = reasonOf("priority_behind", `${text}, behind ${higher} of higher priority.`);
  return position - 1 > higher ? [{ ...outranked, blocker }, behind] : [{ ...outranked, blocker }];
}

// ── Who attends ────────────────────────────────────────────────────────────────────────────────────────────────────

function attendance(view: OperationView, queue: string, segment: string, nodes: readonly SeenNode[]): Reason[] {
  const living = nodes.filter(({ isLive }) => isLive !== false);
  const attending = living.filter(({ about }) => about === null || mayHave(about.queues, queue));
  if (attending.length === 0) {
    const others = [...new Set(living.map(({ node }) => node))].slice(0, NAMES_MAX);
    const who =
      others.length === 0
        ? "no Foreman of this App is running"
        : `the Foremen of ${others.join(", ")} do not attend it`;
    const blocker = { kind: "queue", id: queue };
    return [{ ...reasonOf("no_worker", `No Foreman attends Queue ${queue}: ${who}.`), blocker }];
  }
  const { step } = view;
  const able = attending.filter(({ about }) => step === null || about === null || mayHave(about.steps, step));
  if (able.length === 0) {
    const holders = attending.slice(0, NAMES_MAX).map(({ incarnation }) => incarnation);
    const text = `Those who attend Queue ${queue} have no function for Step ${step}.`;
    return [{ ...reasonOf("no_handler", text), blocker: { kind: "step", id: step ?? "" }, holders }];
  }
  if (isKeyedSegment(segment)) return [];
  if (living.some(({ node }) => segment === node || segment.startsWith(`${node}.`))) return [];
  const text = `Its Segment ${segment} is of a Node that is gone; the other Nodes work it off.`;
  return [{ ...reasonOf("node_gone", text), blocker: { kind: "node", id: segment } }];
}

// ── Small parts ────────────────────────────────────────────────────────────────────────────────────────────────────

function explained(id: string, state: Explanation["state"], reasons: readonly Reason[]): Explanation {
  return { id, state, isRunnable: false, reasons, position: null };
}

function ended(id: string, state: Explanation["state"], reason: Reason): Explanation {
  return explained(id, state, [reason]);
}

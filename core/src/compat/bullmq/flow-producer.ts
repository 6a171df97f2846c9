/**
 * Trees of jobs: BullMQ's FlowProducer. Children go in first, each parent behind them with their ids; a Worker that gets
 * a parent looks after its children and hands it back until they have ended.
 */
import { createError } from "../../base/errors.js";
import { addJob, type Job, readJob } from "./job.js";
import { planOf } from "./plan.js";
import { CONNECTION_ROWS, checkOptions, METHOD_HINTS, unsupported } from "./refusals.js";
import { Room } from "./room.js";
import { openApp } from "./seam.js";
import { Speaker } from "./speaker.js";
import type { ChildRef } from "./stored.js";
import type { DefaultJobOptions, FlowProducerOptions, JobsOptions, Loose } from "./types.js";

/** One job of a tree. */
export interface FlowJob {
  readonly name: string;
  readonly queueName: string;
  readonly data?: Loose;
  readonly prefix?: string;
  readonly opts?: JobsOptions;
  readonly children?: readonly FlowJob[];
}

/** One job of a tree that is in the store. */
export interface JobNode {
  readonly job: Job;
  readonly children?: JobNode[];
}

/** What `add` may be told beside the tree. */
export interface FlowOpts {
  /** By queue name; of each only `defaultJobOptions` is read. */
  readonly queuesOptions?: Readonly<Record<string, { readonly defaultJobOptions?: DefaultJobOptions }>>;
}

/** What a FlowProducer tells. */
export interface FlowProducerListener {
  error: (error: Error) => void;
}

/** Children are kept at least so long, whatever they ask for: their parent reads what they gave. */
const CHILD_KEEP_MS = 86_400_000;
/** The queue in whose room a FlowProducer stands; it holds no jobs. */
const OWN_QUEUE = "flows";

/** Adds trees of jobs. */
export class FlowProducer extends Speaker<FlowProducerListener> {
  readonly opts: FlowProducerOptions;
  readonly #room: Room;
  #closing: Promise<void> | null = null;

  /** Does no I/O. Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION. */
  constructor(opts: FlowProducerOptions = {}) {
    super();
    checkOptions(opts, CONNECTION_ROWS, "FlowProducer");
    this.opts = opts;
    this.#room = Room.enter(OWN_QUEUE, opts);
  }

  /** Resolves when the store can be reached. */
  async waitUntilReady(): Promise<void> {
    await openApp(this.#room.app);
  }

  /**
   * Adds a tree: all children before their parent. Not in one piece: when a job is refused, those before it are in, and
   * no parent of it is.
   *
   * Errors: those of `Queue.add`; nothing was added if an option of any job is refused.
   */
  async add(flow: FlowJob, opts: FlowOpts = {}): Promise<JobNode> {
    if (this.#closing !== null) throw createError("MR_APP_CLOSED", { app: this.#room.appId, method: "add" });
    checkTree(flow, opts);
    return await this.#addNode(flow, opts, false);
  }

  /** Adds trees, one after the other. */
  async addBulk(flows: readonly FlowJob[]): Promise<JobNode[]> {
    for (const flow of flows) checkTree(flow, {});
    return await Promise.all(flows.map((flow) => this.add(flow)));
  }

  /** Reads a tree from its root down to `depth` (default 10); undefined if there is no such job. */
  async getFlow(of: {
    readonly id: string;
    readonly queueName: string;
    readonly prefix?: string;
    readonly depth?: number;
  }) {
    return await this.#readNode(of.id, this.#room.neighbour(of.queueName, of.prefix), of.depth ?? 10);
  }

  /** Leaves all queues it added to. */
  close(): Promise<void> {
    this.#closing ??= this.#room.leave();
    return this.#closing;
  }

  /** The same. */
  disconnect(): Promise<void> {
    return this.close();
  }

  async #addNode(node: FlowJob, opts: FlowOpts, isChild: boolean): Promise<JobNode> {
    const nodes = await Promise.all((node.children ?? []).map((child) => this.#addNode(child, opts, true)));
    const refs = nodes.map(({ job }, i) => refOf(job, (node.children ?? [])[i] as FlowJob, node)); // one for each
    const room = this.#room.neighbour(node.queueName, node.prefix);
    const plan = planOf(node.opts, defaultsOf(node, opts), node.data, isChild ? CHILD_KEEP_MS : 0);
    const job: Job = await addJob(room, node.name, node.data, plan, refs.length === 0 ? undefined : refs);
    return nodes.length === 0 ? { job } : { job, children: nodes };
  }

  async #readNode(id: string, room: Room, depth: number): Promise<JobNode | undefined> {
    const job: Job | undefined = await readJob(room, id);
    if (job === undefined) return undefined;
    if (job.children.length === 0 || depth <= 1) return { job };
    const nodes = await Promise.all(
      job.children.map((child) => this.#readNode(child.id, room.neighbour(child.queue, child.prefix), depth - 1)),
    );
    return { job, children: nodes.filter((node) => node !== undefined) };
  }
}

/** Checks all options before anything is added. */
function checkTree(node: FlowJob, opts: FlowOpts): void {
  planOf(node.opts, defaultsOf(node, opts), node.data);
  for (const child of node.children ?? []) {
    if (child.opts?.parent !== undefined) throw unsupported("job option `parent`", METHOD_HINTS.waitForChildren);
    checkTree(child, opts);
  }
}

function defaultsOf({ queueName }: FlowJob, { queuesOptions }: FlowOpts): DefaultJobOptions | undefined {
  return queuesOptions?.[queueName]?.defaultJobOptions;
}

/** How a parent remembers a child. */
function refOf(job: Job, child: FlowJob, parent: FlowJob): ChildRef {
  const { failParentOnFailure, continueParentOnFailure, ignoreDependencyOnFailure, removeDependencyOnFailure } =
    child.opts ?? {};
  const onFail =
    failParentOnFailure === true
      ? "fail"
      : continueParentOnFailure === true
        ? "continue"
        : ignoreDependencyOnFailure === true
          ? "ignore"
          : removeDependencyOnFailure === true
            ? "remove"
            : undefined;
  const isElsewhere = child.prefix !== parent.prefix;
  return {
    id: job.operationId,
    ...(job.id === job.operationId ? {} : { as: job.id }),
    queue: child.queueName,
    ...(isElsewhere ? { prefix: job.prefix } : {}),
    ...(onFail === undefined ? {} : { onFail }),
  };
}

/**
 * What a busy Worker thread is doing (elsewhere: thread dump): pauses it through the inspector and reads its JavaScript
 * stack. Works while the thread is in an endless loop and hears nothing else; costs nothing before. When it cannot be
 * had in time, for whatever reason, there is none: it explains, nothing depends on it.
 */
import { Session } from "node:inspector";
import type { Clock } from "../base/clock.js";

/** How long a thread may take to show its stack. */
const DEADLINE_MS = 500;
/** Frames kept. */
const FRAMES_MAX = 50;
/** What is chained to it runs once the stack is empty; promises are the engine's own, so this much is safe anywhere. */
const DONE = Promise.resolve();
/** Where Node writes a thread's number. */
const TITLE = /^\[worker (\d+)\]/;

interface AttachedParams {
  readonly sessionId: string;
  readonly workerInfo: { readonly title: string };
}

interface ReceivedParams {
  readonly sessionId: string;
  readonly message: string;
}

/** A message of the inspector's protocol, as far as it is used here. */
interface Message {
  readonly method?: string;
  readonly params?: {
    readonly scriptId?: string;
    readonly url?: string;
    readonly callFrames?: readonly {
      readonly functionName: string;
      readonly url?: string;
      readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
    }[];
  };
}

/** The look that is going on: inspector sessions of one process see each other's threads, so it is one at a time. */
let last: Promise<string | null> = Promise.resolve(null);

/** Returns the stack of a Worker thread as the text of an error's stack without its first line; null within a second. */
export function captureStack(threadId: number, clock: Clock): Promise<string | null> {
  last = last.then(() => look(threadId, clock));
  return last;
}

function look(threadId: number, clock: Clock): Promise<string | null> {
  return new Promise((resolve) => {
    const session = new Session();
    // A thread that stands paused cannot be ended, so a process that exits meanwhile would wait for it for ever.
    const letGo = () => {
      one.leave(() => undefined);
      session.disconnect();
    };
    const one = new Look(session, threadId, (stack) => {
      timer.cancel();
      // It is let go before it is ended.
      const leave = () => {
        farewell.cancel();
        process.off("exit", letGo);
        session.disconnect();
        resolve(stack);
      };
      const farewell = clock.setTimer(DEADLINE_MS, leave);
      one.leave(leave);
    });
    process.once("exit", letGo);
    const timer = clock.setTimer(DEADLINE_MS, () => one.end(null));
    one.start();
  });
}

/** One look at one thread. */
class Look {
  readonly #session: Session;
  readonly #threadId: number;
  readonly #ended: (stack: string | null) => void;
  readonly #urls = new Map<string, string>();
  /** The inspector's name for the thread's session. */
  #target: string | null = null;
  #isOver = false;

  constructor(session: Session, threadId: number, ended: (stack: string | null) => void) {
    this.#session = session;
    this.#threadId = threadId;
    this.#ended = ended;
  }

  start(): void {
    try {
      this.#session.connect();
      this.#listen("NodeWorker.attachedToWorker", (params: AttachedParams) => this.#attach(params));
      this.#listen("NodeWorker.receivedMessageFromWorker", ({ sessionId, message }: ReceivedParams) => {
        if (sessionId === this.#target) this.#hear(JSON.parse(message) as Message); // the protocol's own
      });
      this.#session.post("NodeWorker.enable", { waitForDebuggerOnStart: false }, (error) => {
        if (error !== null) this.end(null);
      });
    } catch {
      this.end(null); // a Node without an inspector
    }
  }

  end(stack: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended(stack);
  }

  /** Lets the thread go on; `left` is called when it does. */
  leave(left: () => void): void {
    if (this.#target === null) return left();
    this.#send("Debugger.disable");
    this.#session.post("NodeWorker.detach", { sessionId: this.#target }, left);
  }

  /**
   * Listens to what threads say. It arrives as an interrupt, in the middle of whatever function runs here just then, also
   * of Node's own: one that is setting a timer would find its lists changed under its hands, and turn for ever. So
   * nothing is done about it before that function, and those that called it, are through.
   */
  #listen<Params>(event: string, hear: (params: Params) => void): void {
    this.#session.on(event, ({ params }: { params: Params }) => void DONE.then(() => hear(params)));
  }

  #attach({ sessionId, workerInfo }: AttachedParams): void {
    if (this.#isOver || this.#target !== null) return;
    if (Number(TITLE.exec(workerInfo.title)?.[1]) !== this.#threadId) return;
    this.#target = sessionId;
    this.#send("Debugger.enable");
    this.#send("Debugger.pause");
  }

  #send(method: string): void {
    const message = JSON.stringify({ id: 1, method, params: {} });
    this.#session.post("NodeWorker.sendMessageToWorker", { sessionId: this.#target ?? "", message });
  }

  #hear({ method, params }: Message): void {
    const { scriptId, url, callFrames } = params ?? {};
    if (method === "Debugger.scriptParsed" && scriptId !== undefined) this.#urls.set(scriptId, url ?? "");
    if (method === "Debugger.paused" && callFrames !== undefined) this.end(textOf(callFrames, this.#urls));
  }
}

/** Frames as V8 writes them; positions of the protocol count from 0. */
function textOf(frames: NonNullable<NonNullable<Message["params"]>["callFrames"]>, urls: Map<string, string>): string {
  const lines = frames.slice(0, FRAMES_MAX).map(({ functionName, url, location }) => {
    const file = url || urls.get(location.scriptId) || "<anonymous>";
    const place = `${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
    return functionName === "" ? `    at ${place}` : `    at ${functionName} (${place})`;
  });
  return lines.join("\n");
}

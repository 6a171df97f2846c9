/**
 * A child process that stays: it answers calls by name, takes notes and sends notes, until it is ended or killed.
 *
 * `child.ts` asks one question of a fresh process; here several processes work together for a while and the parent
 * says who does what when. Times they exchange are `process.hrtime` nanoseconds, one clock for the whole machine.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The calls a peer answers: name → what it is given and what it answers. */
export type Calls = Readonly<Record<string, { readonly params: unknown; readonly result: unknown }>>;

/** How a peer answers: one function for each of its calls. */
export type Answers<Known extends Calls> = {
  readonly [Name in keyof Known]: (
    params: Known[Name]["params"],
  ) => Known[Name]["result"] | Promise<Known[Name]["result"]>;
};

type ToChild =
  | { readonly kind: "call"; readonly id: number; readonly name: string; readonly params: unknown }
  | { readonly kind: "note"; readonly note: unknown };

type ToParent =
  | { readonly kind: "answer"; readonly id: number; readonly result: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly error: string }
  | { readonly kind: "note"; readonly note: unknown };

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** How a peer is started. */
export interface PeerOptions {
  /** Words for messages: "Node 3". */
  readonly label: string;
  /** Environment beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onNote?: (note: unknown) => void;
}

const callTimeoutMs = 120_000;

// One listener for all: ten children are no leak.
const living = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** The parent's end. It kills the child when it is disposed of, and when this process exits. */
export class Peer<Known extends Calls> implements AsyncDisposable {
  readonly label: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<unknown>;
  #nextId = 1;

  /** Forks `module`, which is served by `servePeer`. */
  constructor(module: URL, options: PeerOptions) {
    this.label = options.label;
    this.#child = fork(fileURLToPath(module), {
      execArgv: ["--expose-gc"],
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, ...options.env },
    });
    this.#child.on("message", (message) => this.#take(message as ToParent, options.onNote)); // what servePeer sends
    this.#ended = once(this.#child, "exit").then(([code, signal]) => this.#failAll(`ended (${signal ?? code})`));
    this.#child.on("error", (error) => this.#failAll(error.message));
    living.add(this.#child);
  }

  /** Calls the peer. Errors: what it threw; it ended; no answer within two minutes. */
  call<Name extends keyof Known & string>(
    name: Name,
    params: Known[Name]["params"],
    timeoutMs: number = callTimeoutMs,
  ): Promise<Known[Name]["result"]> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${this.label} gave no answer to ${name} within ${timeoutMs} ms`));
      }, timeoutMs);
      const end = (): void => clearTimeout(timer);
      this.#pending.set(id, {
        resolve: (result) => {
          end();
          resolve(result as Known[Name]["result"]); // answered by the function of that name
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      this.#send({ kind: "call", id, name, params });
    });
  }

  /** Sends a note; nobody answers. */
  note(note: unknown): void {
    this.#send({ kind: "note", note });
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill9(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
    living.delete(this.#child);
  }

  #send(message: ToChild): void {
    if (this.#child.connected)
      this.#child.send(message, () => undefined); // a broken pipe is told by `exit`
    else this.#failAll("is gone");
  }

  #take(message: ToParent, onNote: ((note: unknown) => void) | undefined): void {
    if (message.kind === "note") return onNote?.(message.note);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === "answer") pending?.resolve(message.result);
    else pending?.reject(new Error(`${this.label}: ${message.error}`));
  }

  #failAll(what: string): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) one.reject(new Error(`${this.label} ${what}`));
  }
}

/** The far side: answers calls until the parent goes away. Returns what sends a note to the parent. */
export function servePeer<Known extends Calls>(
  answers: Answers<Known>,
  onNote: (note: unknown) => void = () => undefined,
): (note: unknown) => void {
  const send = (message: ToParent): void => void process.send?.(message);
  process.on("message", (raw) => {
    const message = raw as ToChild; // what Peer sends
    if (message.kind === "note") return onNote(message.note);
    const { id, name, params } = message;
    void answerTo(answers, name, params).then(
      (result) => send({ kind: "answer", id, result }),
      (error: unknown) => send({ kind: "failure", id, error: describe(error) }),
    );
  });
  process.once("disconnect", () => process.exit(0));
  return (note) => send({ kind: "note", note });
}

async function answerTo<Known extends Calls>(answers: Answers<Known>, name: string, params: unknown): Promise<unknown> {
  const answer = answers[name];
  if (answer === undefined) throw new Error(`there is no call ${name}`);
  return await answer(params);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split("\n").slice(0, 3).join("\n");
}

/**
 * What Worker threads and process Workers have in common: the parts between a wire and the user's module.
 */
import type { Clock } from "../base/clock.js";
import { createError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { Random } from "../base/random.js";
import { AppSeat, placeAppSeat, type SeatedApp } from "./app-seat.js";
import type { ProcessBoot } from "./boot.js";
import { CallLink } from "./call-link.js";
import { ExecutorHost } from "./executors.js";
import { InlineWorker, type SeatKeeper } from "./inline.js";
import { Intake } from "./intake.js";
import { loadModule } from "./load-module.js";
import { type Manifest, manifestOf } from "./manifest.js";
import { RecordPort } from "./record-port.js";
import type { Wire } from "./wire.js";

/** What an assembly is made of. */
export interface AssemblyOptions {
  /** Of either kind of Worker. */
  readonly boot: ProcessBoot;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly random: Random;
  /** Writes over the port, for an App without a logger of its own. */
  readonly log: Logger;
  readonly slots: number;
  readonly seats?: SeatKeeper;
  /** Whether Steps with executors of the App's own may come: those run in async Workers. */
  readonly hasExecutors: boolean;
  /** The Foreman wants the Worker to finish and end. */
  readonly stop: () => void;
}

/** A Worker without its wire. */
export class Assembly {
  readonly intake: Intake;
  readonly #options: AssemblyOptions;
  readonly #worker: InlineWorker;
  readonly #link: CallLink;
  #log: Logger;
  #app: SeatedApp | null = null;
  #host: ExecutorHost | null = null;

  constructor(options: AssemblyOptions) {
    const { wire, clock, random, slots, seats, stop } = options;
    this.#options = options;
    this.#log = options.log;
    this.#link = new CallLink(wire);
    this.#worker = new InlineWorker({
      registry: { find: (name) => this.#app?.registry.find(name) },
      port: new RecordPort(wire),
      clock,
      random,
      log: loggerOf(() => this.#log),
      slots,
      hungry: () => undefined,
      began: () => undefined,
      caller: {
        call: (step, input, attempt) =>
          this.#host === null ? step.fn(input, attempt) : this.#host.call(step, input, attempt),
      },
      ...(seats === undefined ? {} : { seats }),
    });
    this.intake = new Intake({ worker: this.#worker, link: this.#link, stop });
  }

  /** Whether the module is there and nothing is under way. */
  get isIdle(): boolean {
    return this.#app !== null && this.#worker.running === 0 && this.#worker.buffered === 0 && this.#link.pending === 0;
  }

  /**
   * Imports the module, starts its executors, tells what it declares.
   *
   * Errors: MR_MODULE_FAILED.
   */
  async load(): Promise<Manifest> {
    const { boot, clock, log, hasExecutors } = this.#options;
    const load = () => ({ running: this.#worker.running, buffered: this.#worker.buffered });
    const seat = new AppSeat({ options: boot.options, log, link: this.#link, load });
    placeAppSeat(seat);
    const app = await loadModule(boot.module, boot.exportName, seat);
    this.#log = app.log.child({ worker: boot.id });
    if (hasExecutors && app.executors.size > 0) {
      const host = new ExecutorHost(app.executors, clock, this.#log);
      try {
        await host.start();
      } catch (error) {
        const reason = "an executor did not start";
        throw createError("MR_MODULE_FAILED", { module: boot.module, reason }, { cause: error });
      }
      this.#host = host;
    }
    this.#app = app;
    return manifestOf(app.id, app.options, app.registry.list());
  }

  /** Resolves when what was given is finished and the executors have stopped. */
  async finish(): Promise<void> {
    await this.#worker.whenIdle();
    await this.#host?.stop();
  }
}

/** A logger that changes with what `get` returns. */
function loggerOf(get: () => Logger): Logger {
  return {
    debug: (fields, message) => get().debug(fields, message),
    info: (fields, message) => get().info(fields, message),
    warn: (fields, message) => get().warn(fields, message),
    error: (fields, message) => get().error(fields, message),
    child: (fields) => get().child(fields),
  };
}

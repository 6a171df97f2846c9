/**
 * An EventEmitter whose listeners are typed, and of which no listener can harm the work: what one throws becomes an
 * `error` event, and an `error` nobody listens to a warning of the process instead of its end.
 */
import { EventEmitter } from "node:events";
import { emitWarning } from "node:process";

type AnyListener = (...args: unknown[]) => void;
/** The arguments of a listener. */
export type ArgsOf<Listener> = Listener extends (...args: infer Args) => unknown ? Args : never;

/** An EventEmitter but for the four methods that are typed below. */
const Emitter = EventEmitter as unknown as new () => Omit<EventEmitter, "on" | "once" | "off" | "emit">; // as it says
const plain = EventEmitter.prototype;

/** What Queue, Worker, QueueEvents and FlowProducer are beneath. */
export class Speaker<Listeners extends object> extends Emitter {
  on<Name extends keyof Listeners & string>(event: Name, listener: Listeners[Name]): this {
    plain.on.call(this.#plain, event, listener as AnyListener); // every member of Listeners is a function
    return this;
  }

  once<Name extends keyof Listeners & string>(event: Name, listener: Listeners[Name]): this {
    plain.once.call(this.#plain, event, listener as AnyListener); // as above
    return this;
  }

  off<Name extends keyof Listeners & string>(event: Name, listener: Listeners[Name]): this {
    plain.off.call(this.#plain, event, listener as AnyListener); // as above
    return this;
  }

  emit<Name extends keyof Listeners & string>(event: Name, ...args: ArgsOf<Listeners[Name]>): boolean {
    if (event === "error" && this.listenerCount("error") === 0) {
      warn(args[0]);
      return false;
    }
    try {
      return plain.emit.call(this.#plain, event, ...(args as unknown[])); // a tuple is an array
    } catch (error) {
      if (event === "error" || this.listenerCount("error") === 0) warn(error);
      else plain.emit.call(this.#plain, "error", error);
      return true;
    }
  }

  /** This very object, by its other type. */
  get #plain(): EventEmitter {
    return this as unknown as EventEmitter; // see Emitter
  }

  /** The same for a class whose own types are open: it knows what its listeners take. */
  protected say(event: keyof Listeners & string, ...args: readonly unknown[]): void {
    if (this.listenerCount(event) > 0 || event === "error")
      this.emit(event, ...(args as ArgsOf<Listeners[typeof event]>)); // as said
  }
}

function warn(error: unknown): void {
  emitWarning(error instanceof Error ? error : String(error));
}

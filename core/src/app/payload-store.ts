/**
 * A Store whose payloads are sealed (base/seal.ts) on their way in and opened on their way out: inputs, results and
 * errors. Everything before it works with what users gave, everything behind it never sees it.
 *
 * Put before an App's store only if the App compresses or encrypts. What cannot be opened passes as it is: reading it
 * fails as an Attempt's or a caller's own error (MR_DECODE), and a log line says why. Names, Queues, tags, times, keys
 * of limits and progress notes stay clear.
 */

import { invariant } from "../base/assert.js";
import type { Logger } from "../base/log.js";
import { isSealed, type Sealer } from "../base/seal.js";
import { formatId } from "../engine/dot.js";
import { decodeEnvelope } from "../engine/envelope.js";
import type { Ending, LocalDot } from "../engine/lease.js";
import type { OperationRecord } from "../engine/operation.js";
import { decodeOutcome } from "../engine/outcome.js";
import type { Store, StoreListener } from "../engine/store.js";
import type { Claim, Settled } from "../engine/transitions.js";

/** What a sealing Store is made of. */
export interface PayloadStoreOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly app: string;
  readonly log: Logger;
}

/** Whether bytes stand anywhere in this. */
type HasBytes<T> = T extends Uint8Array
  ? true
  : T extends readonly (infer Element)[]
    ? HasBytes<Element>
    : T extends object
      ? { [Key in keyof T]: HasBytes<T[Key]> }[keyof T]
      : false;
/** The methods of a Store whose arguments or answer hold bytes. */
type WithBytes = {
  [Key in keyof Store]: Store[Key] extends (...args: infer Args) => infer Answer
    ? true extends HasBytes<Args> | HasBytes<Awaited<Answer>>
      ? Key
      : never
    : never;
}[keyof Store];
/** The calls whose bytes are no payloads: reasons, the word for poison, progress notes, what Nodes say of themselves. */
type Clear = "cancel" | "rescue" | "progress" | "nodes" | "nodeBeat";
/**
 * The calls that carry payloads. Whatever is not here passes as it is, so this is made from the contract: a method with
 * bytes that comes to it must be sealed below, or named as clear, or nothing compiles.
 */
type Carrying = Pick<Store, Exclude<WithBytes, Clear> | "listen">;

/** Puts sealing before a Store. */
export function payloadStore(options: PayloadStoreOptions): Store {
  const { store } = options;
  const carrying: Carrying = new Payloads(options);
  const bound = new Map<string | symbol, unknown>();
  return new Proxy(store, {
    get(inner, key) {
      const known = bound.get(key);
      if (known !== undefined) return known;
      const part: unknown = key in carrying ? carrying[key as keyof Carrying] : Reflect.get(inner, key, inner); // it is there
      if (typeof part !== "function") return part;
      const call: unknown = part.bind(key in carrying ? carrying : inner); // a method of either
      bound.set(key, call);
      return call;
    },
  });
}

class Payloads implements Carrying {
  readonly #options: PayloadStoreOptions;

  constructor(options: PayloadStoreOptions) {
    this.#options = options;
  }

  enqueue: Store["enqueue"] = (segment, params) => {
    const { laneName, first } = params;
    const bodies = params.bodies.map((body, i) => this.#sealInput(body, segment, laneName, first + i));
    return this.#options.store.enqueue(segment, { ...params, bodies });
  };

  enqueueFull: Store["enqueueFull"] = (segment, params) => {
    const elements = params.elements.map((element) => {
      return { ...element, body: this.#sealInput(element.body, segment, params.laneName, element.counter) };
    });
    return this.#options.store.enqueueFull(segment, { ...params, elements });
  };

  redrive: Store["redrive"] = (segment, params) => {
    const elements = params.elements.map((element) => {
      const { body, laneName, counter } = element;
      return body === null ? element : { ...element, body: this.#sealInput(body, segment, laneName, counter) };
    });
    return this.#options.store.redrive(segment, { ...params, elements });
  };

  /** What is put back is what was claimed, opened here: sealed anew it has the bytes it was enqueued with. */
  announce: Store["announce"] = (segment, params) => {
    const elements = params.elements.map((element) => {
      const { again, laneName, counter } = element;
      if (again === null) return element;
      return { ...element, again: { ...again, body: this.#sealInput(again.body, segment, laneName, counter) } };
    });
    return this.#options.store.announce(segment, { ...params, elements });
  };

  claim: Store["claim"] = async (segment, params) => {
    const answer = await this.#options.store.claim(segment, params);
    return { ...answer, claims: answer.claims.map((claim) => this.#claimed(segment, claim)) };
  };

  complete: Store["complete"] = (segment, params) => {
    const values = params.values.map((value, i) => {
      const held = params.held[i];
      invariant(held !== undefined, "a value for each one held");
      return this.#sealOutcome(value, segment, held);
    });
    return this.#options.store.complete(segment, { ...params, values });
  };

  fail: Store["fail"] = (segment, params) => {
    const elements = params.elements.map((element) => {
      return { ...element, value: this.#sealOutcome(element.value, segment, element) };
    });
    return this.#options.store.fail(segment, { ...params, elements });
  };

  find: Store["find"] = async (segment, params) => {
    const { records } = await this.#options.store.find(segment, params);
    return { records: records.map((record) => (typeof record === "string" ? record : this.#recorded(record))) };
  };

  peek: Store["peek"] = async (segment, params) => {
    const answer = await this.#options.store.peek(segment, params);
    return { ...answer, records: answer.records.map((record) => this.#recorded(record)) };
  };

  list: Store["list"] = async (segment, params) => {
    const answer = await this.#options.store.list(segment, params);
    return { ...answer, records: answer.records.map((record) => this.#recorded(record)) };
  };

  listen: Store["listen"] = (listener) => {
    const opening: StoreListener = {
      bell: (...told) => listener.bell(...told),
      due: (...told) => listener.due(...told),
      settled: (outcome) => listener.settled(this.#settled(outcome)),
      progressed: (...told) => listener.progressed(...told),
      marked: (...told) => listener.marked(...told),
      restored: (...told) => listener.restored(...told),
    };
    return this.#options.store.listen(opening);
  };

  #claimed(segment: string, claim: Claim): Claim {
    return { ...claim, body: this.#openInput(claim.body, formatId(segment, claim.laneName, claim.counter)) };
  }

  #recorded(record: OperationRecord): OperationRecord {
    const { id, body, value } = record;
    return {
      ...record,
      body: body === null ? null : this.#openInput(body, id),
      value: value === null ? null : this.#openOutcome(value, id),
    };
  }

  #settled(outcome: Settled): Settled {
    return { ...outcome, value: this.#openOutcome(outcome.value, outcome.id) };
  }

  #sealInput(body: Uint8Array, segment: string, laneName: LocalDot["laneName"], counter: number): Uint8Array {
    const { payloadAt } = decodeEnvelope(body);
    if (isSealed(body, payloadAt)) return body; // what could not be opened here
    return this.#options.sealer.seal(body, payloadAt, this.#place("input", formatId(segment, laneName, counter)));
  }

  #sealOutcome(value: Uint8Array, segment: string, { lane, laneName, counter }: Ending): Uint8Array {
    invariant(laneName !== undefined, "who ends an Operation names its lane", { segment, lane });
    const place = this.#place("outcome", formatId(segment, laneName, counter));
    return this.#options.sealer.seal(value, outcomeAt(value), place);
  }

  #openInput(body: Uint8Array, id: string): Uint8Array {
    return this.#open(body, id, "input", (bytes) => decodeEnvelope(bytes).payloadAt);
  }

  #openOutcome(value: Uint8Array, id: string): Uint8Array {
    return this.#open(value, id, "outcome", outcomeAt);
  }

  #open(bytes: Uint8Array, id: string, kind: string, payloadAt: (bytes: Uint8Array) => number): Uint8Array {
    try {
      return this.#options.sealer.open(bytes, payloadAt(bytes), this.#place(kind, id));
    } catch (error) {
      this.#options.log.error({ operation: id, error }, `its ${kind} cannot be opened`);
      return bytes;
    }
  }

  /** What a payload belongs to: moved to any other place it does not open. */
  #place(kind: string, id: string): string {
    return `${this.#options.app}\0${kind}\0${id}`;
  }
}

function outcomeAt(value: Uint8Array): number {
  return value.length - decodeOutcome(value).value.length;
}

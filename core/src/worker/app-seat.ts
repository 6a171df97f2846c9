/**
 * Where a Worker and the Apps of the module it imports meet: one object in a well-known place, so that it is found also
 * by a second installed copy of this package. An App that finds it when it is made is *seated*: its Steps are run by the
 * Worker, and its calls travel to the Foreman.
 *
 * Only Apps of the Foreman's id are seated. Any other App in a Worker thread is a client of its own store.
 */
import type { Logger } from "../base/log.js";
import type { Executor } from "../workflow/executor.js";
import type { StepDefinition } from "../workflow/step.js";
import type { BootOptions } from "./boot.js";
import type { CallLink } from "./call-link.js";

/** Raised when App and Worker could not talk to each other any more; both come from their own copy of the package. */
export const APP_SEAT_VERSION = 1;

const PLACE = Symbol.for("millrace.seat");

/** What a Worker needs of an App. */
export interface SeatedApp {
  readonly id: string;
  /** Its resolved options. */
  readonly options: object;
  readonly registry: { find(name: string): StepDefinition | undefined; list(): readonly StepDefinition[] };
  readonly executors: ReadonlyMap<string, Executor>;
  readonly log: Logger;
}

/** What a Worker offers Apps. */
export class AppSeat {
  readonly version: number = APP_SEAT_VERSION;
  readonly options: BootOptions;
  readonly log: Logger;
  /** The way to the Foreman; null in a scout, which only reads definitions. */
  readonly link: CallLink | null;
  /** Attempts running and Operations buffered in this Worker. */
  readonly load: () => { readonly running: number; readonly buffered: number };
  /** Resolves with the first App that said it was complete: `app.start()` was called. */
  readonly whenStarted: Promise<SeatedApp>;
  readonly #apps = new Map<unknown, SeatedApp>();
  #started: (app: SeatedApp) => void = () => undefined;

  constructor(parts: Pick<AppSeat, "options" | "log" | "link" | "load">) {
    this.options = parts.options;
    this.log = parts.log;
    this.link = parts.link;
    this.load = parts.load;
    this.whenStarted = new Promise((resolve) => {
      this.#started = resolve;
    });
  }

  /** Whether an App of this id is to be seated. */
  isFor(id: string): boolean {
    return this.options.appId === null || this.options.appId === id;
  }

  /** Notes an App that was made; `key` is what the module would export. */
  adopt(key: object, app: SeatedApp): void {
    this.#apps.set(key, app);
  }

  /** Notes that an App's definitions are complete. */
  start(key: object): void {
    const app = this.#apps.get(key);
    if (app !== undefined) this.#started(app);
  }

  /** The App behind an exported value, or undefined. */
  appOf(value: unknown): SeatedApp | undefined {
    return this.#apps.get(value);
  }

  /** Ids of all Apps made so far. */
  ids(): readonly string[] {
    return [...new Set([...this.#apps.values()].map((app) => app.id))];
  }
}

/** Puts the seat where Apps find it. */
export function placeAppSeat(seat: AppSeat): void {
  Object.defineProperty(globalThis, PLACE, { value: seat });
}

/** Finds the seat; null outside of Workers. */
export function findAppSeat(): AppSeat | null {
  const seat = (globalThis as Partial<Record<symbol, unknown>>)[PLACE];
  return seat === undefined ? null : (seat as AppSeat); // nothing else is put there; its version is compared by App
}

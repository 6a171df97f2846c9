/**
 * The suspects of one pool on their way (elsewhere: quarantine queue): each waits for a *cell*, a Worker that takes
 * nothing else, is emptied and then runs it alone. At most half of the Workers are cells at a time, so the others' work
 * goes on; with one Worker it is that one's turn.
 */
import type { Clock } from "../base/clock.js";
import type { Random } from "../base/random.js";
import type { OutcomePort } from "../worker/port.js";
import type { Given } from "./given.js";
import type { Member } from "./member.js";

/** How long a Worker may take to become empty before the suspect it is for is given back. */
const EMPTY_MS = 30_000;
/** A suspect that is given back comes again after this time, up to twice as long. */
const DELAY_MS = 2_500;

/** What the cells of a pool need of it. */
export interface CellsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly port: OutcomePort;
  readonly members: () => readonly Member[];
  /** Takes back what a Worker has not begun. */
  readonly unload: (member: Member) => void;
}

interface Cell {
  readonly given: Given;
  readonly member: Member;
  readonly sinceMs: number;
  isSeated: boolean;
}

/** The cells of one pool. */
export class Cells {
  readonly #options: CellsOptions;
  /** Suspects without a cell, in order. */
  #waiting: Given[] = [];
  #cells: readonly Cell[] = [];

  constructor(options: CellsOptions) {
    this.#options = options;
  }

  /** Suspects that wait: for a cell, or for it to be empty. */
  get waiting(): number {
    return this.#waiting.length + this.#cells.filter((cell) => !cell.isSeated).length;
  }

  /** Adds a suspect: behind the others, or in front of them. */
  add(given: Given, where: "front" | "back"): void {
    if (where === "front") this.#waiting.unshift(given);
    else this.#waiting.push(given);
  }

  /** Brings suspects under way as far as that goes; returns how many were given to their Worker. */
  seat(): number {
    if (this.waiting === 0) return 0;
    for (const cell of this.#cells) if (!cell.isSeated && cell.member.state !== "open") this.#close(cell);
    while (this.#waiting.length > 0 && this.#open());
    let seated = 0;
    for (const cell of this.#cells) {
      if (cell.isSeated || !cell.member.canTakeAlone()) continue;
      cell.isSeated = true;
      cell.member.give(cell.given);
      seated++;
    }
    return seated;
  }

  /** An Operation left its Worker, by its outcome or because it was taken back. */
  left(given: Given): void {
    if (this.#cells.length === 0) return;
    const cell = this.#cells.find((one) => one.isSeated && one.given === given);
    if (cell !== undefined) this.#close(cell);
  }

  /** A Worker is gone. */
  lost(member: Member): void {
    const cell = this.#cells.find((one) => one.member === member);
    if (cell !== undefined) this.#close(cell);
  }

  /** All that wait here. */
  *all(): Iterable<Given> {
    for (const { isSeated, given } of this.#cells) if (!isSeated) yield given;
    yield* this.#waiting;
  }

  /** Takes out the waiting ones that are meant. */
  take(isMeant: (given: Given) => boolean): Given[] {
    for (const cell of this.#cells) if (!cell.isSeated && isMeant(cell.given)) this.#close(cell);
    const taken = this.#waiting.filter(isMeant);
    if (taken.length > 0) this.#waiting = this.#waiting.filter((given) => !taken.includes(given));
    return taken;
  }

  /** Gives back, with a delay, what has waited for a cell for `ageMs`: many may wait. */
  dismiss(ageMs: number): void {
    const { clock, random, port } = this.#options;
    const nowMs = clock.monotonicMs();
    const late = new Set(this.#cells.filter((cell) => nowMs - cell.sinceMs >= EMPTY_MS).map(({ given }) => given));
    const isMeant = (given: Given) =>
      late.has(given) || (this.#waiting.includes(given) && nowMs - given.sinceMs >= ageMs);
    for (const given of this.take(isMeant)) port.released(given, DELAY_MS * (1 + random.next()));
  }

  #open(): boolean {
    const { members, clock, unload } = this.#options;
    const open = members().filter((member) => member.state === "open");
    const free = open.filter((member) => !member.isReserved).sort((a, b) => a.load - b.load);
    const [member] = free;
    const [given] = this.#waiting;
    if (given === undefined || member === undefined) return false;
    if (this.#cells.length >= Math.max(1, Math.floor(open.length / 2))) return false;
    this.#waiting.shift();
    this.#cells = [...this.#cells, { given, member, sinceMs: clock.monotonicMs(), isSeated: false }];
    member.isReserved = true;
    unload(member);
    return true;
  }

  /** The Worker takes part again; a suspect that never got there waits again. */
  #close(cell: Cell): void {
    this.#cells = this.#cells.filter((one) => one !== cell);
    cell.member.isReserved = false;
    if (!cell.isSeated) this.#waiting.unshift(cell.given);
  }
}

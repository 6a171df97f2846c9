/** Counts what became of every job of a run, so that loss and duplicates are found, not assumed away. Pure. */

/** What a run did to its jobs; a run with any loss or duplicate is void. */
export interface Audit {
  readonly jobs: number;
  /** Jobs that never ran, were never acknowledged, or of which nothing is kept, whichever is most. */
  readonly lost: number;
  /** Runs beyond the first of a job, acknowledgements or kept records beyond one a job, whichever is most. */
  readonly duplicated: number;
}

/** Filled while jobs run: one byte a job, one addition an acknowledgement. */
export class Ledger {
  readonly jobs: number;
  readonly #runs: Uint8Array;
  #strangers = 0;
  #acknowledged = 0;
  #onAll: (() => void) | null = null;

  constructor(jobs: number) {
    this.jobs = jobs;
    this.#runs = new Uint8Array(jobs);
  }

  /** Notes that the handler was entered for the job of this index. */
  ran(index: number): void {
    const runs = this.#runs[index];
    if (runs === undefined) this.#strangers++;
    else if (runs < 255) this.#runs[index] = runs + 1;
  }

  /** Notes that the store acknowledged so many completions. */
  acknowledged(count: number): void {
    this.#acknowledged += count;
    if (this.#acknowledged >= this.jobs && this.#onAll !== null) {
      this.#onAll();
      this.#onAll = null;
    }
  }

  get done(): number {
    return this.#acknowledged;
  }

  /** Resolves when as many completions are acknowledged as there are jobs. */
  all(): Promise<void> {
    if (this.#acknowledged >= this.jobs) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onAll = resolve;
    });
  }

  /** Compares runs alone with the jobs that were enqueued. */
  auditRuns(): Audit {
    let lost = 0;
    let duplicated = this.#strangers;
    for (const runs of this.#runs) {
      if (runs === 0) lost++;
      else duplicated += runs - 1;
    }
    return { jobs: this.jobs, lost, duplicated };
  }

  /** Compares runs, acknowledgements and what the store keeps with the jobs that were enqueued. */
  audit(kept: number): Audit {
    const { jobs, lost, duplicated } = this.auditRuns();
    return {
      jobs,
      lost: Math.max(lost, jobs - this.#acknowledged, jobs - kept),
      duplicated: Math.max(duplicated, this.#acknowledged - jobs, kept - jobs),
    };
  }
}

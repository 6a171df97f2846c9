/** When answers go out, on a disk that commits, flushes and fails when told. */
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../base/clock.js";
import { ManualClock } from "../../testing/manual-clock.js";
import { type CommitLevel, GroupCommit } from "./group-commit.js";
import type { Write } from "./layout.js";
import type { LmdbFile } from "./lmdb.js";

/** A disk in the test's hands. */
class Disk {
  readonly batches: (readonly Write[])[] = [];
  #pending: { commit(): void; flush(): void; fail(error: Error): void; failFlush(error: Error): void }[] = [];

  readonly file: LmdbFile = {
    write: (writes) => {
      this.batches.push(writes);
      let [commit, flush, fail, failFlush] = [() => {}, () => {}, (_: Error) => {}, (_: Error) => {}];
      const committed = new Promise<void>((resolve, reject) => {
        commit = resolve;
        fail = reject;
      });
      const flushed = new Promise<void>((resolve, reject) => {
        flush = resolve;
        failFlush = reject;
      });
      this.#pending.push({ commit, flush, fail, failFlush });
      return { committed, flushed };
    },
    exchange: () => {},
    records: () => [],
    freeBytes: () => 0,
    checkReaders: () => {},
    close: () => Promise.resolve(),
  };

  async commit(index: number): Promise<void> {
    this.#pending[index]?.commit();
    await turn();
  }

  async flush(index: number): Promise<void> {
    this.#pending[index]?.flush();
    await turn();
  }

  async fail(index: number): Promise<void> {
    this.#pending[index]?.fail(new Error("the disk said no"));
    await turn();
  }

  async failFlush(index: number): Promise<void> {
    this.#pending[index]?.failFlush(new Error("EIO"));
    await turn();
  }
}

class Scene {
  readonly disk = new Disk();
  readonly told: string[] = [];
  readonly commits: GroupCommit;
  mayRetry = false;
  #touched: string[] = [];

  constructor(level: CommitLevel, clock: Clock = systemClock) {
    this.commits = new GroupCommit({
      file: this.disk.file,
      level,
      clock,
      collect: (writer) => {
        for (const name of this.#touched.splice(0)) {
          writer.begin();
          writer.text(name);
          writer.end(Buffer.from(name));
        }
      },
      indeterminate: (call) => new Error(`${call} is open`),
      failed: () => this.told.push("failed"),
      mayRetry: () => this.mayRetry,
      healed: () => this.told.push("healed"),
      written: () => {},
    });
  }

  write(name: string): void {
    this.#touched.push(name);
    this.commits.touch();
    this.read(name);
  }

  read(name: string): void {
    this.commits.release(name, name).then(
      (answer) => this.told.push(answer),
      (error: Error) => this.told.push(error.message),
    );
  }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

const batchesOf = (disk: Disk): number[] => disk.batches.map((batch) => batch.length);

describe("group commit", () => {
  it("writes the calls of one turn as one batch, and those that come meanwhile as the next", async () => {
    const s = new Scene("aof");
    s.write("a");
    s.write("b");
    await turn();
    s.write("c");
    s.write("d");
    await turn();
    expect(batchesOf(s.disk)).toEqual([2]);
    await s.disk.commit(0);
    expect(s.told).toEqual(["a", "b"]);
    expect(batchesOf(s.disk)).toEqual([2, 2]);
    await s.disk.commit(1);
    expect(s.told).toEqual(["a", "b", "c", "d"]);
  });

  it("lets no read tell what is not committed", async () => {
    const s = new Scene("aof");
    s.read("nothing was touched");
    await turn();
    s.write("a");
    s.read("r1");
    await turn();
    s.read("r2");
    await turn();
    expect(s.told).toEqual(["nothing was touched"]);
    await s.disk.commit(0);
    expect(s.told).toEqual(["nothing was touched", "a", "r1", "r2"]);
    expect(batchesOf(s.disk)).toEqual([1]);
  });

  it("X9: flushes for who asks for it, and lets all others go at their level", async () => {
    const s = new Scene("aof");
    const flush = () => {
      s.commits.flush("flush").then(
        () => s.told.push("flushed"),
        (error: Error) => s.told.push(error.message),
      );
    };
    flush();
    await turn();
    expect(s.told).toEqual(["flushed"]);
    s.write("a");
    flush();
    await turn();
    await s.disk.commit(0);
    flush(); // nothing more to write: that flush is waited for
    await turn();
    expect(s.told).toEqual(["flushed", "a"]);
    await s.disk.flush(0);
    expect(s.told).toEqual(["flushed", "a", "flushed", "flushed"]);
    s.write("b");
    flush();
    await turn();
    await s.disk.fail(1);
    expect(s.told.slice(4)).toEqual(["failed", "b is open", "flush is open"]);
  });

  it("waits for the flush of everything before, on `flushed`", async () => {
    const s = new Scene("flushed");
    s.write("a");
    await turn();
    await s.disk.commit(0);
    s.read("r");
    s.write("b");
    await turn();
    expect(s.told).toEqual([]);
    expect(batchesOf(s.disk)).toEqual([1, 1]);
    await s.disk.commit(1);
    await s.disk.flush(0);
    expect(s.told).toEqual(["a"]);
    await s.disk.flush(1);
    expect(s.told).toEqual(["a", "r", "b"]);
  });

  it("leaves the fate of calls open when their flush fails, and of all others until one succeeds", async () => {
    const s = new Scene("flushed");
    s.write("a");
    await turn();
    await s.disk.commit(0);
    s.read("r1");
    await turn();
    await s.disk.failFlush(0);
    expect(s.told).toEqual(["a is open", "r1 is open"]);
    s.read("r2");
    s.commits.tell(() => s.told.push("an event of what may be lost"));
    await turn();
    expect(s.told.splice(0)).toEqual(["a is open", "r1 is open", "r2 is open"]);
    s.write("b");
    await turn();
    await s.disk.commit(1);
    await s.disk.flush(1);
    s.read("r3");
    await turn();
    expect(s.told).toEqual(["b", "r3"]);
  });

  it("X9: says that a flush failed to who asked for it alone", async () => {
    const s = new Scene("aof");
    s.write("a");
    const flush = s.commits.flush("flush").catch((error: Error) => s.told.push(error.message));
    await turn();
    await s.disk.commit(0);
    await s.disk.failFlush(0);
    await flush;
    s.read("r");
    await turn();
    expect(s.told).toEqual(["a", "flush is open", "r"]);
  });

  it("waits for the flush of what was refused first, and forgets the refusal with it", async () => {
    const clock = new ManualClock();
    const s = new Scene("flushed", clock);
    s.write("a");
    await turn();
    await s.disk.fail(0);
    await s.disk.failFlush(0);
    expect(s.told.splice(0)).toEqual(["failed", "a is open"]);
    s.mayRetry = true;
    clock.moveTo(clock.nowMs() + 300);
    await turn();
    await s.disk.commit(1);
    s.read("r");
    const secured = s.commits.flush("flush").then(() => s.told.push("secured"));
    await turn();
    expect(s.told).toEqual(["healed"]);
    await s.disk.flush(1);
    await secured;
    expect(s.told).toEqual(["healed", "r", "secured"]);
    s.read("r2");
    await turn();
    expect(s.told.at(-1)).toBe("r2");
  });

  it("answers ahead of the disk on `memory`, but not by much", async () => {
    const s = new Scene("memory");
    for (let i = 0; i < 100; i++) s.write(`w${i}`);
    await turn();
    const ahead = s.told.length;
    expect(ahead).toBeGreaterThan(10);
    expect(ahead).toBeLessThan(100);
    await s.disk.commit(0);
    expect(s.told).toHaveLength(100);
  });

  it("puts a cut off on `memory`, so that what comes soon after shares it, until somebody must wait", async () => {
    const clock = new ManualClock();
    const s = new Scene("memory", clock);
    s.write("a");
    await turn();
    s.write("b");
    await turn();
    expect(s.told).toEqual(["a", "b"]);
    expect(batchesOf(s.disk)).toEqual([]);
    clock.moveTo(clock.nowMs() + 50);
    await turn();
    expect(batchesOf(s.disk)).toEqual([2]);
    await s.disk.commit(0);
    for (let i = 0; i < 100; i++) s.write(`w${i}`); // more than may be answered ahead: the cut does not tarry
    await turn();
    expect(batchesOf(s.disk)).toEqual([2, 100]);
  });

  it("leaves the fate of calls open when a batch is refused, and writes the same bytes until they stand", async () => {
    const s = new Scene("aof");
    s.write("a");
    await turn();
    s.write("b");
    await s.disk.fail(0);
    expect(s.told.toSorted()).toEqual(["a is open", "b is open", "failed"]);
    expect(s.commits.isFailing).toBe(true);
    s.mayRetry = true;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(s.disk.batches[1]).toEqual(s.disk.batches[0]);
    await s.disk.commit(1);
    expect(s.told).toContain("healed");
    // What was applied after the refused batch follows it.
    expect(s.disk.batches[2]?.map(({ key }) => key.toString())).toEqual(["b"]);
    s.read("r");
    await s.disk.commit(2);
    expect(s.told.at(-1)).toBe("r");
  });

  it("drains what was touched, answers it, and rejects nothing", async () => {
    const s = new Scene("aof");
    s.write("a");
    const drained = s.commits.drain();
    await turn();
    await s.disk.commit(0);
    await s.disk.flush(0);
    await drained;
    expect(s.told).toEqual(["a"]);
  });
});

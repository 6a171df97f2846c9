/** Hears what the Steps of all Foremen say, and keeps it per Operation: who began it when, and who ended it. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** Environment names the bench sets for a Foreman: where to report, and as which Node. */
export const reportPortVariable = "BENCH_REPORT_PORT";
export const nodeVariable = "BENCH_NODE";

/** One begin or end of an Attempt. `ns` by `process.hrtime`, the same clock in all processes. */
export interface Report {
  readonly what: "begin" | "end";
  readonly n: number;
  readonly attempt: number;
  readonly pid: number;
  readonly node: string;
  readonly ns: number;
}

/** An outcome is acknowledged within this time, or the machine stands still. */
const ACKNOWLEDGED_NS = 1e9;

/** Everything heard. */
export class Reports implements AsyncDisposable {
  readonly port: number;
  /** Begins of each Operation in the order they were heard. */
  readonly begins = new Map<number, Report[]>();
  /** When an Operation ended in a process, by `n pid`. */
  readonly #endedNs = new Map<string, number>();
  readonly #running = new Map<number, Report>();
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, port: number, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.port = port;
    this.#sockets = sockets;
  }

  /** Listens on a free loopback port. */
  static async open(): Promise<Reports> {
    const sockets = new Set<Socket>();
    let take: (report: Report) => void = () => undefined;
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined); // killed in the middle: what it said before counts
      socket.on("close", () => sockets.delete(socket));
      createInterface({ input: socket }).on("line", (line) => take(JSON.parse(line) as Report)); // what work-app writes
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port to report to");
    const reports = new Reports(server, address.port, sockets);
    take = (report) => reports.#take(report);
    return reports;
  }

  /** What runs now on a Node. */
  runningOn(node: string): readonly Report[] {
    return [...this.#running.values()].filter((report) => report.node === node);
  }

  /**
   * Operations that began again although they were not running where a Foreman was killed. `killedNs`: when which
   * process was killed. What ended there just before may not have been acknowledged yet: it begins again, and must.
   */
  begunForNothing(killedNs: ReadonlyMap<number, number>): number {
    const hadTo = ({ n, pid }: Report): boolean => {
      const atNs = killedNs.get(pid);
      const endedNs = this.#endedNs.get(`${n} ${pid}`) ?? Number.POSITIVE_INFINITY;
      return atNs !== undefined && atNs - endedNs < ACKNOWLEDGED_NS;
    };
    let count = 0;
    for (const begins of this.begins.values()) {
      const inOrder = [...begins].sort((a, b) => a.ns - b.ns);
      if (inOrder.slice(0, -1).some((begin) => !hadTo(begin))) count++;
    }
    return count;
  }

  /** Takes it that a process is gone: nothing runs there any more. */
  died(pid: number): void {
    for (const [n, report] of this.#running) if (report.pid === pid) this.#running.delete(n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #take(report: Report): void {
    if (report.what === "end") {
      this.#running.delete(report.n);
      this.#endedNs.set(`${report.n} ${report.pid}`, report.ns);
      return;
    }
    const begins = this.begins.get(report.n);
    if (begins === undefined) this.begins.set(report.n, [report]);
    else begins.push(report);
    this.#running.set(report.n, report);
  }
}

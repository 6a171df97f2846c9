/** Processor time and wall time of a stretch of work, in this process and in a Redis server. */
import { Redis } from "ioredis";

/** Asks one Redis server how much processor time it has used. Its own questions cost about 0.1 ms each. */
export class RedisMeter {
  readonly #redis: Redis;

  constructor(url: string) {
    this.#redis = new Redis(url, { lazyConnect: true });
  }

  /** Processor time of the whole server so far, user and system, in microseconds. */
  async cpuUs(): Promise<number> {
    const info = fields(await this.#redis.info("cpu"));
    return (Number(info.used_cpu_user) + Number(info.used_cpu_sys)) * 1e6;
  }

  /** `used_memory` in bytes. */
  async memoryBytes(): Promise<number> {
    return Number(fields(await this.#redis.info("memory")).used_memory);
  }

  /** Bytes the server has read from and written to its connections so far. */
  async wire(): Promise<Wire> {
    const stats = fields(await this.#redis.info("stats"));
    return { inBytes: Number(stats.total_net_input_bytes), outBytes: Number(stats.total_net_output_bytes) };
  }

  /** Calls and microseconds inside each command so far: `INFO commandstats`. */
  async commands(): Promise<Readonly<Record<string, CommandStat>>> {
    const entries = Object.entries(fields(await this.#redis.info("commandstats")));
    return Object.fromEntries(entries.map(([name, text]) => [name.replace("cmdstat_", ""), parseStat(text)]));
  }

  /** Empties the server, in the foreground, so that nothing of it is still being freed afterwards. */
  async flush(): Promise<void> {
    await this.#redis.flushall("SYNC");
  }

  /** One round trip through this connection, in microseconds: the median of `count`. */
  async pingUs(count = 20): Promise<number> {
    const samples: number[] = [];
    for (let i = 0; i < count; i++) {
      const from = process.hrtime.bigint();
      await this.#redis.ping();
      samples.push(Number(process.hrtime.bigint() - from) / 1000);
    }
    return samples.sort((a, b) => a - b)[Math.floor(count / 2)] ?? Number.NaN;
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** What went over the network, as the server sees it. */
export interface Wire {
  readonly inBytes: number;
  readonly outBytes: number;
}

/** What one command has cost a server since it started. */
export interface CommandStat {
  readonly calls: number;
  readonly usec: number;
}

/** A stretch of work: how long it took, and what it cost. Microseconds. */
export interface Cost {
  readonly wallUs: number;
  readonly nodeUs: number;
  readonly redisUs: number | null;
}

/** Starts a stretch of work; the function it answers ends it. Without a meter `redisUs` is null. */
export async function startCost(meter: RedisMeter | null): Promise<() => Promise<Cost>> {
  const redisFrom = meter === null ? 0 : await meter.cpuUs();
  const nodeFrom = process.cpuUsage();
  const wallFrom = process.hrtime.bigint();
  return async () => {
    const wallUs = Number(process.hrtime.bigint() - wallFrom) / 1000;
    const node = process.cpuUsage(nodeFrom);
    const redisUs = meter === null ? null : (await meter.cpuUs()) - redisFrom;
    return { wallUs, nodeUs: node.user + node.system, redisUs };
  };
}

function fields(info: string): Record<string, string> {
  const lines = info.split("\r\n").filter((line) => line.includes(":"));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

function parseStat(text: string): CommandStat {
  const parts = Object.fromEntries(text.split(",").map((part) => part.split("=")));
  return { calls: Number(parts.calls), usec: Number(parts.usec) };
}

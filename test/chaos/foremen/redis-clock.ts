/**
 * A Redis server whose wall clock the harness moves: the usual program, with redis-clock.c compiled and put before it.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findRedisServer } from "@millrace/scripts/redis-server";

/** Whether there is a C compiler, without which no clock can be moved. */
export function hasCompiler(): boolean {
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A moved clock and the program that sees it. */
export class RedisClock implements Disposable {
  /** What to start in the place of `redis-server`. */
  readonly program: string;
  readonly #dir = mkdtempSync(join(tmpdir(), "millrace-clock-"));
  readonly #file: number;

  constructor() {
    const redis = findRedisServer();
    if (redis === null) throw new Error("no redis-server to move the clock of");
    const library = join(this.#dir, "redis-clock.so");
    const offset = join(this.#dir, "offset");
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, sourceFile()]);
    this.#file = openSync(offset, "w+");
    this.set(0);
    this.program = join(this.#dir, "redis-server");
    const script = `#!/bin/sh\nMILLRACE_REDIS_CLOCK=${offset} LD_PRELOAD=${library} exec ${redis.path} "$@"\n`;
    writeFileSync(this.program, script, { mode: 0o755 });
  }

  /** Sets how far the server's wall clock is ahead, from this moment on. */
  set(ms: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ms) * 1_000n);
    writeSync(this.#file, bytes, 0, 8, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** The C file lies beside the TypeScript source; the compiler of TypeScript does not copy it. */
function sourceFile(): string {
  const folder = import.meta.url.endsWith(".ts") ? "./" : "../../../chaos/foremen/";
  return fileURLToPath(new URL(`${folder}redis-clock.c`, import.meta.url));
}

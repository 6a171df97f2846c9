/**
 * Runs a command beside a throw-away Redis: `node scripts/dist/with-redis.js [--appendonly] -- <command…>`.
 *
 * The command finds the server in MILLRACE_REDIS_URL; its exit code is ours. The server and its folder are gone
 * afterwards, however the command ends.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { parseArgs } from "node:util";
import { type RedisOptions, startRedis } from "./redis-server.js";

const [options, command] = readArguments(process.argv.slice(2));
const [program, ...args] = command;
if (program === undefined) fail("no command given");

const redis = await startRedis(options);
const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, MILLRACE_REDIS_URL: redis.url } });
// A signal is the command's to answer: we pass it on, wait for its end, and only then clean up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
process.exitCode = await exitCodeOf(child);
await redis.stop();

async function exitCodeOf(running: ReturnType<typeof spawn>): Promise<number> {
  try {
    const [code, signal] = (await once(running, "exit")) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    console.error(`with-redis: cannot run ${program}: ${error instanceof Error ? error.message : String(error)}`);
    return 127;
  }
}

function readArguments(argv: readonly string[]): [RedisOptions, readonly string[]] {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: { appendonly: { type: "boolean", default: false }, appendfsync: { type: "string" } },
    allowPositionals: true,
  });
  const fsync = values.appendfsync;
  if (fsync === undefined) return [{ appendonly: values.appendonly }, positionals];
  if (fsync === "always" || fsync === "everysec" || fsync === "no") {
    return [{ appendonly: values.appendonly, appendfsync: fsync }, positionals];
  }
  return fail(`expected --appendfsync always, everysec or no, got ${fsync}`);
}

function fail(problem: string): never {
  console.error(`with-redis: ${problem}`);
  console.error("usage: with-redis [--appendonly] [--appendfsync always|everysec|no] -- <command…>");
  process.exit(2);
}

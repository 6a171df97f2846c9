/**
 * The throw-away Redis of a test run, shared by all test files: each works under an App name of its own, takes its
 * keys away at the end, and fails if a key was written that begins with no App's name in braces.
 */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";

/** A name no other test file uses, and a plain client to look behind the store's back. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  /** App name: every key of the test begins with `{app:` or `{app}`. */
  readonly app: string;
  readonly client: Redis;
  /** All keys of this App, in order. */
  keys(): Promise<string[]>;
  /** Deletes the App's keys. Throws if the server holds keys that are of no App at all. */
  close(): Promise<void>;
}

const prefix = "mt";
let opened = 0;

/** Opens the server of MILLRACE_REDIS_URL under a fresh App name. */
export async function openTestRedis(): Promise<TestRedis> {
  const url = process.env.MILLRACE_REDIS_URL;
  if (url === undefined)
    throw new Error("this test needs a Redis: run it through `npm test`, or set MILLRACE_REDIS_URL");
  opened += 1;
  const app = `${prefix}${process.pid}-${opened}-${randomBytes(4).toString("hex")}`;
  const client = plainClient(url);
  const keys = async (): Promise<string[]> => {
    const all = await scan(client);
    return all.filter((key) => key.startsWith(`{${app}:`) || key.startsWith(`{${app}}`)).sort();
  };
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    const ours = await keys();
    if (ours.length > 0) await client.unlink(...ours);
    const strays = (await scan(client)).filter((key) => !/^\{[^{}]+\}/.test(key));
    client.disconnect();
    if (strays.length > 0) throw new Error(`keys that begin with no App and Segment: ${strays.slice(0, 5).join(" ")}`);
  };
  return { url, app, client, keys, close, [Symbol.asyncDispose]: close };
}

/** A client without a will of its own: nothing is queued while offline, nothing is sent twice. */
export function plainClient(target: string): Redis {
  return new Redis(target, { enableOfflineQueue: true, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
}

async function scan(client: Redis): Promise<string[]> {
  const found: string[] = [];
  for await (const page of client.scanStream({ count: 1000 })) found.push(...(page as string[])); // keys of a text client
  return found;
}

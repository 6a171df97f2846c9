/**
 * The program that is killed: produces and works off Operations on a store, at the level of transitions, as a Foreman
 * would, and writes down what it was told and what it did.
 *
 * One argument, JSON of `ProgramOptions`. Runs until it is killed, or until told `drain` on its standard input: then
 * it enqueues no more, works until nothing is left, and ends with code 0. Prints `ready` once it works.
 */
import { createHash, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { isMillraceError } from "@millrace/core";
import type { Claim } from "@millrace/core/internal";
import { openStore } from "../helper/open-store.js";
import { note } from "./log.js";

/** What a program is told. */
export interface ProgramOptions {
  readonly store: string;
  readonly app: string;
  readonly segment: string;
  readonly log: string;
  /** Operations in one enqueue. */
  readonly batch: number;
  /** Pause between rounds of producing, so that the log stays readable. */
  readonly pauseMs: number;
}

const leaseMs = 2_000;
const beatMs = 200;
const recoveriesMax = 20;
const retainMs = 3_600_000;
/** Every so manieth Operation fails its first Attempt. */
const failsEvery = 7;

const options = JSON.parse(process.argv[2] ?? "{}") as ProgramOptions; // written by run.ts
const owner = `o${randomBytes(8).toString("hex")}`;
const laneName = `${owner}.01`;
const { segment } = options;

let isDraining = false;
/** What `until` waits for; told when somebody wonders why this does not end. */
const unanswered = new Set<{ readonly call: string; phase: "called" | "waits for the store"; times: number }>();
createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "drain") isDraining = true;
  if (line === "tell") console.error(`unanswered: ${JSON.stringify([...unanswered])}`);
});

const store = await openStore(options.store, options.app);
await until(() => store.openSegment(segment));
let restoredAtMs = performance.now();
store.listen({
  bell: ignore,
  settled: ignore,
  progressed: ignore,
  due: ignore,
  marked: ignore,
  restored: () => {
    restoredAtMs = performance.now();
  },
});
console.log("ready");
await Promise.all([produce(), work(), beat(), watch()]);
await store.close();
process.exit(0);

/** Enqueues batch after batch; one whose answer is lost is sent again as it was. */
async function produce(): Promise<void> {
  const { lane } = await until(() => store.laneOpen(segment, { laneName, queue: "q" }));
  for (let first = 1; !isDraining; first += options.batch) {
    const bodies = Array.from({ length: options.batch }, () => new Uint8Array(randomBytes(24)));
    const tell = (answer: "acknowledged" | "unknown"): void => {
      for (const [i, body] of bodies.entries()) {
        note(options.log, { kind: "enqueue", id: idOf(laneName, first + i), hash: hashOf(body), answer });
      }
    };
    tell("unknown"); // whoever dies now has not been told
    const { answer } = await until(
      () => store.enqueue(segment, { lane, laneName, first, bodies }),
      () => tell("unknown"),
    );
    if (answer !== "ok") throw new Error(`enqueue answered ${answer}: the store forgot what it had acknowledged`);
    tell("acknowledged");
    await pause(options.pauseMs);
  }
}

/** Claims, "executes", reports; asks again with the same request when an answer is lost. */
async function work(): Promise<void> {
  for (let request = 1; ; ) {
    const asked = request;
    const { answer, claims, waiting } = await until(() =>
      store.claim(segment, { owner, request: asked, queues: ["q"], max: 20 }),
    );
    if (claims.length === 0) {
      // A stale answer means that we were rescued, forgotten, and have claimed again since.
      if (answer === "stale") request += 1;
      if (waiting === 0 && isDraining && (await isEmpty())) return;
      await until(() => store.promote(segment, { max: 1000 }));
      await pause(5);
      continue;
    }
    request += 1;
    for (const claim of claims) {
      const { generation, attempt, token } = claim;
      note(options.log, {
        kind: "start",
        id: idOf(claim.laneName, claim.counter),
        generation,
        attempt,
        token,
        owner,
        hash: hashOf(claim.body),
      });
    }
    const isFailing = (claim: Claim): boolean => claim.attempt === 1 && claim.counter % failsEvery === 0;
    await report("fail", claims.filter(isFailing));
    await report(
      "complete",
      claims.filter((claim) => !isFailing(claim)),
    );
  }
}

async function report(transition: "complete" | "fail", claims: readonly Claim[]): Promise<void> {
  if (claims.length === 0) return;
  const held = claims.map(({ lane, counter, token }) => ({ lane, counter, token }));
  const value = new Uint8Array([1]);
  const tell = (answers: readonly ("ok" | "duplicate" | "stale" | "unknown")[]): void => {
    for (const [i, { laneName: name, counter, generation, token }] of claims.entries()) {
      note(options.log, {
        kind: "outcome",
        transition,
        id: idOf(name, counter),
        generation,
        token,
        owner,
        answer: answers[i] ?? "unknown",
      });
    }
  };
  const { answers } = await until(
    () =>
      transition === "complete"
        ? store.complete(segment, { owner, retainMs, held, values: held.map(() => value) })
        : store.fail(segment, { owner, retainMs, elements: held.map((one) => ({ ...one, retryInMs: 0, value })) }),
    () => tell([]),
  );
  tell(answers);
}

async function beat(): Promise<void> {
  for (;;) {
    await until(() => store.extend(segment, { owner }));
    if (isDraining && (await isEmpty())) return;
    await pause(beatMs);
  }
}

/** Rescues owners whose beat has stood still for a Lease by our own clock, while we could see it. */
async function watch(): Promise<void> {
  const seen = new Map<string, { beat: number; sinceMs: number }>();
  for (;;) {
    const { owners } = await until(() => store.counts(segment));
    const nowMs = performance.now();
    for (const other of owners) {
      const before = seen.get(other.owner);
      if (before === undefined || before.beat !== other.beat) {
        seen.set(other.owner, { beat: other.beat, sinceMs: nowMs });
        continue;
      }
      if (other.owner === owner || nowMs - Math.max(before.sinceMs, restoredAtMs) < leaseMs) continue;
      const poison = new Uint8Array([9]);
      const ask = { owner: other.owner, beat: other.beat, max: 1000, recoveriesMax, retainMs, poison };
      await until(() => store.rescue(segment, ask));
    }
    if (isDraining && (await isEmpty())) return;
    await pause(100);
  }
}

async function isEmpty(): Promise<boolean> {
  const { queues, scheduled, running } = await until(() => store.counts(segment));
  return scheduled === 0 && running === 0 && queues.every(({ ready }) => ready === 0);
}

/** Makes a call until it is answered; what is refused or unknown is sent again when the store is back. */
async function until<Answer>(call: () => Promise<Answer>, onUnknown: () => void = ignore): Promise<Answer> {
  const wait = { call: String(call), phase: "called" as "called" | "waits for the store", times: 0 };
  unanswered.add(wait);
  try {
    for (;;) {
      try {
        wait.times++;
        return await call();
      } catch (error) {
        if (isMillraceError(error, "MR_INDETERMINATE")) onUnknown();
        else if (!isMillraceError(error, "MR_STORE_UNAVAILABLE")) throw error;
        wait.phase = "waits for the store";
        await store.ready();
        wait.phase = "called";
      }
    }
  } finally {
    unanswered.delete(wait);
  }
}

function idOf(name: string, counter: number): string {
  const cut = name.lastIndexOf(".");
  return `${segment}.${name.slice(0, cut)}.${counter.toString(36)}${name.slice(cut + 1)}`;
}

function hashOf(body: Uint8Array): string {
  return createHash("sha1").update(body).digest("base64url");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function ignore(): void {}

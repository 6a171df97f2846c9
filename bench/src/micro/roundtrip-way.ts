/**
 * The ways from one thread to another and back that `roundtrip` compares, each behind one small interface.
 *
 * `async` and `blocking` are the real thing: the Foreman's Member and line on this side, the Worker's program with its
 * loop, intake and executor on the other; a no-op Step runs in between. The bare ways send the same bytes there and
 * back and do nothing else with them: they are what Node offers, and flatter themselves.
 */
import { once } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import {
  encodeEnvelope,
  Given,
  Member,
  type MemberEvents,
  type OutcomePort,
  systemClock,
  ThreadLine,
} from "@millrace/core/internal";
import { makeJobs } from "../versus/subject.js";
import { echo } from "./roundtrip-app.js";

/** The ways. */
export const roundtripWays = ["async", "blocking", "postMessage", "MessagePort"] as const;

/** One of them. */
export type RoundtripWay = (typeof roundtripWays)[number];

/** An open way: `send` one, and `onBack` is called when it is back. */
export interface Roundtrip {
  onBack: () => void;
  send(): void;
  close(): Promise<void>;
}

const payloadBytes = 100;
/** More than are ever offered: a machine that stands still must not run out of them. */
const seatCount = 8_192;
const slots = 8;
const maxHeapMb = 256;

/** Opens a way; resolves when the other side is ready. */
export async function openRoundtrip(way: RoundtripWay): Promise<Roundtrip> {
  if (way === "async" || way === "blocking") return await openRings(way);
  return await openBare(way);
}

async function openRings(kind: "async" | "blocking"): Promise<Roundtrip> {
  const [job] = makeJobs(1, payloadBytes);
  const body = encodeEnvelope("echo", Date.now(), null, job);
  const roundtrip = { onBack: () => undefined };
  const port: OutcomePort = {
    completed: () => roundtrip.onBack(),
    failed: (_, value) => fail(`the Step failed: ${Buffer.from(value).toString("latin1")}`),
    released: () => fail("the Operation came back unrun"),
    progressed: () => undefined,
  };
  let ready: () => void = () => undefined;
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let ended: () => void = () => undefined;
  const isEnded = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const events: MemberEvents = {
    ready: (one) => {
      one.state = "open";
      ready();
    },
    failed: (_, error) => fail(error.message),
    log: () => undefined,
    drained: () => undefined,
    left: () => undefined,
    asked: () => fail("the Step asked for something"),
    broken: (_, error) => fail(String(error)),
    exited: () => ended(),
  };
  const module = new URL("./roundtrip-app.js", import.meta.url).href;
  const options = {
    appId: "bench",
    nodeId: "bench",
    durability: { level: "memory", isChecked: true, best: "memory", replicates: false },
    isDebug: false,
  } as const;
  const member = new Member({
    ...{ id: `${kind}-1`, kind, slots: kind === "blocking" ? 1 : slots, clock: systemClock, port, events },
    openLine: (lineEvents) =>
      new ThreadLine({
        boot: { module, exportName: null, id: `${kind}-1`, kind, slots: kind === "blocking" ? 1 : slots, options },
        ...{ seatCount, maxHeapMb, clock: systemClock, events: lineEvents },
      }),
  });
  await isReady;
  let counter = 0;
  return Object.assign(roundtrip, {
    send: () => {
      const address = { lane: 1, laneName: "bench.01", counter: ++counter, token: 1 };
      const claim = { ...address, generation: 1, attempt: 1, recoveries: 0, priority: 0, queue: "async", body };
      member.give(new Given("bench", claim, echo.definition, counter, systemClock.monotonicMs()));
      member.publish();
    },
    close: async () => {
      member.close();
      await isEnded;
    },
  });
}

async function openBare(way: "postMessage" | "MessagePort"): Promise<Roundtrip> {
  const channel = way === "MessagePort" ? new MessageChannel() : null;
  const worker = new Worker(new URL("./roundtrip-echo-thread.js", import.meta.url), {
    workerData: { port: channel?.port2 ?? null },
    transferList: channel === null ? [] : [channel.port2],
  });
  await once(worker, "online");
  const [job] = makeJobs(1, payloadBytes);
  const bytes = encodeEnvelope("echo", Date.now(), null, job);
  const end = channel?.port1 ?? worker;
  const roundtrip = { onBack: () => undefined };
  end.on("message", () => roundtrip.onBack());
  return Object.assign(roundtrip, {
    send: () => end.postMessage(bytes),
    close: async () => {
      channel?.port1.close();
      await worker.terminate();
    },
  });
}

function fail(reason: string): never {
  throw new Error(reason);
}

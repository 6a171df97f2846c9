/** One measurement of the bench `roundtrip`, in a process of its own: one at a time, at an even rate, then idle. */
import { setTimeout as sleep } from "node:timers/promises";
import { planPace, runPace } from "../tool/pacer.js";
import { openRoundtrip, type Roundtrip, type RoundtripWay } from "./roundtrip-way.js";

/** One measurement. */
export interface RoundtripSpec {
  readonly way: RoundtripWay;
  readonly warmUp: number;
  readonly roundtrips: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly idleSeconds: number;
}

/** Its figures. Microseconds of single round trips; share of a processor while nothing is sent. */
export interface RoundtripFigures {
  readonly aloneUs: Float64Array;
  readonly offeredUs: Float64Array;
  /** Processor time per round trip, one at a time; all threads. */
  readonly cpuUs: number;
  readonly idleShare: number;
}

/** From the last round trip until the other thread may be expected to have gone to rest. */
const hotMs = 500;
const leadMs = 50;

/** Measures. */
export async function measureRoundtrip(spec: RoundtripSpec): Promise<RoundtripFigures> {
  const roundtrip = await openRoundtrip(spec.way);
  await alone(roundtrip, spec.warmUp);
  const cpuFrom = process.cpuUsage();
  const aloneUs = await alone(roundtrip, spec.roundtrips);
  const cpu = process.cpuUsage(cpuFrom);
  const offeredUs = await offered(roundtrip, spec.perSecond, spec.seconds);
  const idleShare = await idle(spec.idleSeconds);
  await roundtrip.close();
  return { aloneUs, offeredUs, cpuUs: (cpu.user + cpu.system) / spec.roundtrips, idleShare };
}

/** One at a time: the next is sent when the last is back. */
async function alone(roundtrip: Roundtrip, count: number): Promise<Float64Array> {
  const times = new Float64Array(count);
  let done = 0;
  let sentNs = 0n;
  await new Promise<void>((resolve) => {
    const send = (): void => {
      sentNs = process.hrtime.bigint();
      roundtrip.send();
    };
    roundtrip.onBack = () => {
      times[done++] = Number(process.hrtime.bigint() - sentNs) / 1000;
      // A turn later, as work comes from a store: what follows on the same stack would find everything awake.
      if (done < count) setImmediate(send);
      else resolve();
    };
    send();
  });
  return times;
}

/** At an even rate, whatever comes back; each counts from when it was sent, for what comes late here is not the way's. */
async function offered(roundtrip: Roundtrip, perSecond: number, seconds: number): Promise<Float64Array> {
  const count = perSecond * seconds;
  const times = new Float64Array(count);
  const sent: bigint[] = [];
  let done = 0;
  await new Promise<void>((resolve, reject) => {
    roundtrip.onBack = () => {
      times[done] = Number(process.hrtime.bigint() - (sent[done] ?? 0n)) / 1000;
      if (++done === count) resolve();
    };
    runPace(planPace(perSecond, count, leadMs), () => {
      sent.push(process.hrtime.bigint());
      roundtrip.send();
    }).catch(reject);
  });
  return times;
}

/** The share of a processor this process uses when nothing is sent any more. */
async function idle(seconds: number): Promise<number> {
  await sleep(hotMs);
  const from = process.cpuUsage();
  const fromMs = performance.now();
  await sleep(seconds * 1000);
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000 / (performance.now() - fromMs);
}

/**
 * The program of a small thread inside a process Worker, which ends the process when its Foreman is gone (elsewhere:
 * parent-death watchdog). The process itself hears of that only while its event loop turns, and a Step may keep it from
 * turning for ever: nobody would be left to end it.
 */
import { kill, pid } from "node:process";
import { workerData } from "node:worker_threads";
import { systemClock } from "../base/clock.js";
import type { LifelineData } from "./boot.js";

/** How often it looks. */
const LOOK_MS = 500;

const { parentPid } = workerData as LifelineData; // given by process.ts

function look(): void {
  if (process.ppid !== parentPid) end();
  systemClock.setTimer(LOOK_MS, look);
}

/** What the process has started ends with it, if it leads a group of its own. */
function end(): void {
  try {
    kill(-pid, "SIGKILL");
  } catch {
    kill(pid, "SIGKILL");
  }
}

look();

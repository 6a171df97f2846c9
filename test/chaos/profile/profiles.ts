/**
 * `npm run chaos -- --profile quick --seed 7`: plays a profile, prints what it showed, and can write it as JSON.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { PLACES } from "./place.js";
import { play } from "./play.js";
import { PROFILES, profileOf } from "./profile.js";
import { isKept, type PlayReport, wordsOf } from "./report.js";

/** What a profile takes from the command line. */
export const profileUsage = `--profile ${PROFILES.join("|")} [--seed N] [--place ${PLACES.join(",")}] [--poison N] [--json FILE]`;

/** Plays a profile; tells whether every promise was kept and everything was seen that must be seen. */
export async function playProfile(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      profile: { type: "string", default: "quick" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      place: { type: "string" },
      poison: { type: "string" },
      json: { type: "string" },
    },
  });
  const name = PROFILES.find((one) => one === values.profile);
  if (name === undefined) throw new Error(`--profile takes ${PROFILES.join(", ")}, not ${values.profile}`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed takes a whole number, not ${values.seed}`);
  const places = values.place?.split(",") ?? PLACES;
  const isTerminal = process.stderr.isTTY === true;
  const startedAt = performance.now();
  const reports: PlayReport[] = [];
  console.log(`profile ${name}, seed ${seed}`);
  const poison = values.poison === undefined ? {} : { poison: Number(values.poison) };
  for (const planned of profileOf(name, seed).filter(({ place }) => (places as readonly string[]).includes(place))) {
    const plan = { ...planned, ...poison };
    const report = await play(plan, (says) => {
      if (isTerminal) process.stderr.write(`\r\x1b[K${plan.place}: ${says}`);
    });
    if (isTerminal) process.stderr.write("\r\x1b[K");
    console.log(wordsOf(report));
    reports.push(report);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ profile: name, seed, seconds, plays: reports }, null, 2)}\n`);
  const isGood = reports.every(isKept);
  console.log(`profile ${name}, seed ${seed}: ${isGood ? "kept" : "NOT kept"} in ${seconds} s`);
  return isGood;
}

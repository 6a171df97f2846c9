/**
 * `npm run chaos -- --profile quick --seed 7`: plays a profile, prints what it showed, and can write it as JSON.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { PLACES } from "./place.js";
import { play } from "./play.js";
import { lastsMs, type PlayPlan, PROFILES, profileOf } from "./profile.js";
import { isKept, neverSeen, type PlayReport, wordsOf } from "./report.js";

/** What a profile takes from the command line. */
export const profileUsage = `--profile ${PROFILES.join("|")} [--seed N] [--place ${PLACES.join(",")}] [--only FAULT,FAULT] [--harm SECONDS] [--poison N] [--json FILE]`;

/** Plays a profile; tells whether every promise was kept and everything was seen that must be seen. */
export async function playProfile(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      profile: { type: "string", default: "quick" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      place: { type: "string" },
      only: { type: "string" },
      harm: { type: "string" },
      poison: { type: "string" },
      json: { type: "string" },
    },
  });
  const name = PROFILES.find((one) => one === values.profile);
  if (name === undefined) throw new Error(`--profile takes ${PROFILES.join(", ")}, not ${values.profile}`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed takes a whole number, not ${values.seed}`);
  const places = values.place?.split(",") ?? PLACES;
  const strange = places.find((one) => !(PLACES as readonly string[]).includes(one));
  if (strange !== undefined) throw new Error(`--place takes ${PLACES.join(", ")}, not ${strange}`);
  const startedAt = performance.now();
  const reports: PlayReport[] = [];
  const changed: Partial<PlayPlan> = {
    ...(values.poison === undefined ? {} : { poison: Number(values.poison) }),
    ...(values.harm === undefined ? {} : { harmMs: Number(values.harm) * 1_000 }),
    ...(values.only === undefined ? {} : { only: values.only.split(",") }),
  };
  const plans = profileOf(name, seed)
    .filter(({ place }) => places.includes(place))
    .map((planned) => ({ ...planned, ...changed }));
  const about = plans.map((plan) => `${plan.place} ${lengthOf(lastsMs(plan))}`);
  const whole = plans.reduce((sum, plan) => sum + lastsMs(plan), 0);
  console.log(
    `profile ${name}, seed ${seed}: about ${lengthOf(whole)} (${about.join(", ")}); a busy machine takes longer`,
  );
  for (const plan of plans) {
    const report = await watched(plan);
    console.log(wordsOf(report));
    if (!isKept(report))
      console.log(`  again: npm run chaos -- --profile ${name} --seed ${seed} --place ${plan.place}`);
    reports.push(report);
    // After each place: who stops a long profile keeps what it has shown.
    if (values.json !== undefined) {
      const seconds = Math.round((performance.now() - startedAt) / 1_000);
      writeFileSync(values.json, `${JSON.stringify({ profile: name, seed, seconds, plays: reports }, null, 2)}\n`);
    }
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const never = neverSeen(reports);
  for (const what of never) console.log(`VOID: never seen: ${what}`);
  const isGood = reports.every(isKept) && never.length === 0;
  console.log(`profile ${name}, seed ${seed}: ${isGood ? "kept" : "NOT kept"} in ${seconds} s`);
  return isGood;
}

/** Plays a plan and tells how far it is: all the time on a terminal, once a minute elsewhere. */
async function watched(plan: PlayPlan): Promise<PlayReport> {
  const isTerminal = process.stderr.isTTY === true;
  const sinceMs = performance.now();
  let act = "";
  const tell = (): void => {
    const says = `${plan.place}: ${act}, ${lengthOf(performance.now() - sinceMs)} of about ${lengthOf(lastsMs(plan))}`;
    process.stderr.write(isTerminal ? `\r\x1b[K${says}` : `${says}\n`);
  };
  const timer = setInterval(tell, isTerminal ? 1_000 : 60_000);
  try {
    return await play(plan, (says) => {
      act = says;
      if (isTerminal) tell();
    });
  } finally {
    clearInterval(timer);
    if (isTerminal) process.stderr.write("\r\x1b[K");
  }
}

function lengthOf(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

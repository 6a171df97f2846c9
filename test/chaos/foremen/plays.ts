/**
 * The plays of `npm run chaos` about Foremen: which there are, how they are told from the command line, what they print.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { clockOfRedis, clocksOfForemen } from "./clocks.js";
import { failovers } from "./failovers.js";
import { freeze } from "./freeze.js";
import { killForemen } from "./kill-foremen.js";
import { type MutantVerdict, mutants, playMutant } from "./mutants.js";
import { outages } from "./outages.js";
import { poison } from "./poison.js";
import { hasCompiler } from "./redis-clock.js";
import { breach, type Report, type ScenarioOptions } from "./report.js";
import { FORMS, type Form } from "./settings.js";
import { sigstop } from "./sigstop.js";
import { sigterm } from "./sigterm.js";

const breachesShown = 8;
const STORM_MS = 10_000;

interface Counts {
  readonly kills: number;
  readonly times: number;
  readonly count: number;
  readonly downsMs: readonly number[];
}

interface Play {
  /** How it is run unless the command line says otherwise. */
  readonly forms: readonly Form[];
  run(options: ScenarioOptions, counts: Counts): Promise<Report>;
}

const plays: Readonly<Record<string, Play>> = {
  "kill-foremen": {
    forms: ["threads", "supervised"],
    run: (options, { kills }) => killForemen({ ...options, kills }),
  },
  sigterm: { forms: ["inline", "threads", "supervised"], run: (options, { times }) => sigterm({ ...options, times }) },
  sigstop: { forms: ["inline", "threads", "command"], run: sigstop },
  freeze: { forms: ["threads"], run: freeze },
  clocks: { forms: ["threads", "command"], run: clocksOfForemen },
  "redis-clock": {
    forms: ["threads"],
    run: (options) => (hasCompiler() ? clockOfRedis(options) : uncompiled(options)),
  },
  poison: { forms: ["threads", "supervised"], run: poison },
  outages: {
    forms: ["threads"],
    run: (options, { downsMs }) => outages({ ...options, downsMs, stormMs: STORM_MS }),
  },
  failovers: { forms: ["threads"], run: (options, { count }) => failovers({ ...options, count }) },
};

/** Names of the plays about Foremen, `all` of them, and the test of the plays themselves. */
export const foremanPlays = [...Object.keys(plays), "all", "mutants"] as const;

/** What the plays about Foremen take from the command line. */
export const foremanUsage =
  "[--form inline,threads,command,supervised] [--lease MS] [--seed N] [--kills N] [--times N] [--count N] [--downs MS,MS] [--json FILE]";

/** Runs a play, or all; tells whether every promise was kept. */
export async function playForemen(name: string, args: string[]): Promise<boolean> {
  if (name === "mutants") return await playMutants(args[0] ?? "");
  const { values } = parseArgs({
    args,
    options: {
      form: { type: "string" },
      lease: { type: "string", default: "10000" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      kills: { type: "string", default: "50" },
      times: { type: "string", default: "20" },
      count: { type: "string", default: "20" },
      downs: { type: "string", default: "100,1000,6000,60000" },
      json: { type: "string" },
    },
  });
  const [seed, leaseMs] = [whole(values.seed, "--seed"), whole(values.lease, "--lease")];
  const counts = {
    kills: whole(values.kills, "--kills"),
    times: whole(values.times, "--times"),
    count: whole(values.count, "--count"),
    downsMs: values.downs.split(",").map((text) => whole(text, "--downs")),
  };
  const forms = values.form === undefined ? null : values.form.split(",").map(formOf);
  const names = name === "all" ? Object.keys(plays) : [name];
  const reports: Report[] = [];
  for (const one of names) {
    const play = plays[one];
    if (play === undefined) throw new Error(`there is no play called ${one}`);
    for (const form of forms ?? play.forms) {
      const found = await tell(one, { form, seed, leaseMs }, (options) => play.run(options, counts));
      print(found);
      reports.push(found);
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(reports, null, 2)}\n`);
  return reports.every(({ breaches }) => breaches.length === 0);
}

/** Seeds a mutant is played with until it is caught. */
const SEEDS = 3;

/** Plays the mutants whose names contain a text, and prints by what each was caught. */
async function playMutants(text: string): Promise<boolean> {
  const rows: { mutant: string; verdict: string; by: string; seconds: number }[] = [];
  const chosen = mutants.filter((one) => one.name.includes(text));
  if (chosen.length === 0) {
    console.error(`no mutant's name has "${text}" in it; there are:\n${mutants.map(({ name }) => name).join("\n")}`);
    return false;
  }
  for (const mutant of chosen) {
    const startedAt = performance.now();
    let seed = 0;
    let verdict: MutantVerdict;
    // What is broken shows by chance in some plays: when a clock jumps just then, when a claim meets a full limit.
    do verdict = await playMutant(mutant, ++seed);
    while (!verdict.isKilled && seed < SEEDS);
    const { isKilled, broken } = verdict;
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const by = `${mutant.play}${seed > 1 ? ` with seed ${seed}` : ""}: ${broken.join(", ")}`;
    rows.push({ mutant: mutant.name, verdict: isKilled ? "caught" : "NOT CAUGHT", by, seconds });
    console.log(`${isKilled ? "caught" : "NOT CAUGHT"} in ${seconds} s by ${by}: ${mutant.name}`);
  }
  const caught = rows.filter(({ verdict }) => verdict === "caught").length;
  console.log(`\n| mutant | | caught by |\n| --- | --- | --- |`);
  for (const { mutant, verdict, by } of rows) console.log(`| ${mutant} | ${verdict} | ${by} |`);
  console.log(`\n${caught} of ${rows.length} mutants caught`);
  return caught === rows.length;
}

/** Runs one play with its progress on a terminal; a play that cannot go on has broken its own promise. */
async function tell(
  name: string,
  how: Omit<ScenarioOptions, "progress">,
  run: (options: ScenarioOptions) => Promise<Report>,
): Promise<Report> {
  const isTerminal = process.stderr.isTTY === true;
  const startedAt = performance.now();
  const progress = (says: string): void => {
    if (isTerminal) process.stderr.write(`\r\x1b[K${name} (${how.form}): ${says}`);
  };
  try {
    return await run({ ...how, progress });
  } catch (error) {
    const says = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    return { scenario: name, ...how, seconds, figures: {}, breaches: [breach("the play goes on", says)] };
  } finally {
    if (isTerminal) process.stderr.write("\r\x1b[K");
  }
}

function print({ scenario, form, seed, leaseMs, seconds, figures, breaches }: Report): void {
  const verdict = breaches.length === 0 ? "kept" : `BROKEN (${breaches.length})`;
  console.log(`${scenario}, ${form}: ${verdict} in ${seconds} s (seed ${seed}, Lease ${leaseMs} ms)`);
  const shown = Object.entries(figures).filter(([, value]) => value !== 0);
  if (shown.length > 0) console.log(`  ${shown.map(([key, value]) => `${key} ${value}`).join(" · ")}`);
  for (const { promise, id, says } of breaches.slice(0, breachesShown)) console.log(`  ${promise}: ${id} ${says}`);
}

function uncompiled({ form, seed, leaseMs }: ScenarioOptions): Promise<Report> {
  const breaches = [breach("a fault that bites", "there is no C compiler (cc): Redis' clock cannot be moved")];
  return Promise.resolve({ scenario: "clock of Redis", form, seed, leaseMs, seconds: 0, figures: {}, breaches });
}

function formOf(text: string): Form {
  const found = FORMS.find((form) => form === text);
  if (found === undefined) throw new Error(`--form takes ${FORMS.join(", ")}, not ${text}`);
  return found;
}

function whole(text: string, flag: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${flag} takes a whole number, not ${text}`);
  return value;
}

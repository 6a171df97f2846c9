/**
 * Longer plays of chaos than `npm test` has time for: `npm run chaos -- <play> [options]`. Prints what happened and what
 * was proved; exit code 1 if a promise was broken.
 *
 *   --profile quick|full [--seed N]   everything at once, by chance: docs/guides/chaos.md
 *   kill-foremen, sigterm, sigstop, freeze, clocks, redis-clock, poison   Foremen are killed, stopped, led astray
 *   outages, failovers   Redis goes away and comes back; Sentinels choose another primary, again and again
 *   mutants [text]   whether these plays notice what they are there for
 *   tied [--kills 50] [--operations 5000] [--seed N]   Foremen die with slots and places in lines in their hands
 *   all   every play but mutants
 *   sites [--cut 20] [--how site|replies] [--calm 5] [--nodes 3] [--sites 2]
 *       one of several servers is cut off from all, or its answers to one Node are lost, in network namespaces
 */
import { parseArgs } from "node:util";
import { startRedis } from "@millrace/scripts/redis-server";
import { netnsProblem } from "../helper/netns.js";
import { foremanPlays, foremanUsage, playForemen } from "./foremen/plays.js";
import { playProfile, profileUsage } from "./profile/profiles.js";
import { playSites } from "./sites-run.js";
import { playTied } from "./tied-run.js";

const plays: Readonly<Record<string, (args: string[]) => Promise<boolean>>> = {
  ...Object.fromEntries(foremanPlays.map((name) => [name, (args: string[]) => playForemen(name, args)])),
  sites,
  tied,
  all: async (args) => {
    const areKept = await playForemen("all", args);
    return (await sites([])) && areKept;
  },
};

const usage = `usage: npm run chaos -- ${profileUsage}
       npm run chaos -- <play> [options]

plays: ${Object.keys(plays).join(", ")}
       tied takes [--kills N] [--operations N] [--seed N]
       sites takes [--cut SECONDS] [--calm SECONDS] [--nodes N] [--sites N] [--how site|replies]
       mutants takes a piece of their names
       all others take ${foremanUsage}

docs/guides/chaos.md says what is done, what is judged and how to read a report.`;

process.exitCode = await main(process.argv.slice(2));

async function main(words: string[]): Promise<number> {
  const [name = "", ...args] = words;
  if (words.includes("--help") || words.includes("-h")) {
    console.log(usage);
    return 0;
  }
  const play = name.startsWith("--profile") ? () => playProfile(words) : plays[name];
  if (play === undefined) return misused(name === "" ? "which play?" : `there is no play called ${name}`);
  try {
    return (await play(args)) ? 0 : 1;
  } catch (error) {
    if (isMisuse(error)) return misused(error.message);
    throw error;
  }
}

function misused(says: string): number {
  console.error(`${says}\n\n${usage}`);
  return 2;
}

/** Whether node:util's parseArgs did not understand the command line. */
function isMisuse(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}

async function tied(args: string[]): Promise<boolean> {
  const options = {
    seed: { type: "string", default: String(process.pid) },
    kills: { type: "string", default: "50" },
    operations: { type: "string", default: "5000" },
  } as const;
  const { values } = parseArgs({ args, options });
  const server = await startRedis();
  try {
    const numbers = { seed: Number(values.seed), kills: Number(values.kills), operations: Number(values.operations) };
    const report = await playTied({ url: server.url, app: "tied", ...numbers });
    console.log(JSON.stringify({ ...numbers, ...report }));
    const isDone = report.completed === 2 * numbers.operations;
    return isDone && report.overruns + report.disorder + report.findings === 0;
  } finally {
    await server.stop();
  }
}

async function sites(args: string[]): Promise<boolean> {
  const problem = netnsProblem();
  if (problem !== null) {
    console.error(`sites cannot be played here: ${problem}`);
    return false;
  }
  const { values } = parseArgs({
    args,
    options: {
      cut: { type: "string", default: "20" },
      calm: { type: "string", default: "5" },
      nodes: { type: "string", default: "3" },
      sites: { type: "string", default: "2" },
      how: { type: "string", default: "site" },
    },
  });
  if (values.how !== "site" && values.how !== "replies") {
    console.error(`expected --how site or replies, got ${values.how}`);
    return false;
  }
  const verdict = await playSites({
    how: values.how,
    nodes: Number(values.nodes),
    sites: Number(values.sites),
    cutMs: Number(values.cut) * 1_000,
    calmMs: Number(values.calm) * 1_000,
    say: (line) => console.log(line),
  });
  const { violations, disagreements, ...figures } = verdict;
  console.log(
    JSON.stringify({ ...figures, violations: violations.length, disagreements: disagreements.length }, null, 2),
  );
  for (const violation of violations.slice(0, 20)) console.log(`broken: ${JSON.stringify(violation)}`);
  for (const id of disagreements.slice(0, 20)) console.log(`Nodes disagree about ${id}`);
  const { acceptedTwice, completedTwice } = verdict;
  return violations.length + disagreements.length + acceptedTwice.length + completedTwice.length === 0;
}

/**
 * The plays are tested: each mutant is Millrace with one thing broken, and the play that is there for it must say so, by
 * the promise it breaks. Files are changed while they are loaded; nothing on disk is touched.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { distFile } from "./foreman-process.js";
import type { Report } from "./report.js";
import { type Mutation, mutantVariable } from "./settings.js";

/** One thing broken, who must notice, and what it must say. */
export interface Mutant {
  readonly name: string;
  readonly play: string;
  readonly args: readonly string[];
  readonly promises: readonly string[];
  readonly mutations: readonly Mutation[];
}

const library = "core/dist/store/redis/library.gen.js";
const rescuer = "core/dist/foreman/rescuer.js";
const quick = ["--form", "inline", "--lease", "3000"];
/** The short profile: every kind of work, with a kill of Redis, of a Foreman, and answers that are cut off. */
const profile = { play: "profile", args: ["--profile", "smoke"] } as const;

const claimsAreNoBeats: Mutation = {
  file: library,
  from: 'write_owner(beat + 1, request, token))",\n        "    variadic(',
  to: 'write_owner(beat, request, token))",\n        "    variadic(',
};

/** Everything that is broken, one at a time. */
export const mutants: readonly Mutant[] = [
  {
    name: "no fence: a rescue after which the old owner still holds what was taken from it (I10)",
    ...{ play: "sigstop", args: quick, promises: ["one completion", "fencing"] },
    mutations: [
      {
        file: library,
        from: '"  let_go(root, owner, gone)",\n        "  local left = #all - #latest",',
        to: '"  local left = #all - #latest",',
      },
    ],
  },
  {
    name: "a rescue that neither waits for a Lease nor compares the beat (I14)",
    ...{ play: "sigterm", args: [...quick, "--times", "1"], promises: ["no wrong rescue", "no start without a cause"] },
    mutations: [
      { file: rescuer, from: "nowMs - sighting.sinceMs >= leaseMs", to: "one.held > 0" },
      { file: library, from: "if read_owner(record) ~= beat_seen then", to: "if false then" },
    ],
  },
  {
    name: "Leases by the wall clock (I19)",
    ...{
      play: "clocks",
      args: [...quick, "--lease", "10000"],
      promises: ["no wrong rescue", "no start without a cause", "resumed"],
    },
    mutations: [
      {
        file: rescuer,
        from: "const nowMs = clock.monotonicMs();\n        if (nowMs - this.#lookedMs >",
        to: "const nowMs = clock.nowMs();\n        if (false && nowMs - this.#lookedMs >",
      },
      // Who claims all the time beats all the time: without that the clock decides alone.
      claimsAreNoBeats,
    ],
  },
  {
    name: "due times by the wall clock of the Foreman",
    ...{ play: "clocks", args: quick, promises: ["delays", "no calls in circles"] },
    mutations: [
      {
        file: "core/dist/foreman/surveyor.js",
        from: "promoter.expect(view.name, counts.nextDueInMs);",
        to: "promoter.expect(view.name, counts.nextDueInMs - (Date.now() - performance.timeOrigin - performance.now()));",
      },
      {
        file: "core/dist/foreman/promoter.js",
        from: "this.expect(segment, answer.nextDueInMs);",
        to: "this.expect(segment, answer.nextDueInMs - (Date.now() - performance.timeOrigin - performance.now()));",
      },
    ],
  },
  {
    name: "nobody who is silent is ever rescued",
    ...{ play: "kill-foremen", args: [...quick, "--kills", "2"], promises: ["drained", "resumed"] },
    mutations: [{ file: rescuer, from: "nowMs - sighting.sinceMs >= leaseMs", to: "false" }],
  },
  {
    name: "beats that stop when a stop begins (I15)",
    ...{ play: "sigterm", args: [...quick, "--times", "3"], promises: ["no wrong rescue", "no start without a cause"] },
    mutations: [
      {
        file: "core/dist/foreman/foreman.js",
        from: "await answered(this.#feeder.stop());",
        to: "this.#duties.stop(); this.#beater.stop(); await answered(this.#feeder.stop());",
      },
    ],
  },
  {
    name: "a release that spends an Attempt",
    ...{ play: "sigterm", args: [...quick, "--times", "3"], promises: ["no Attempt spent"] },
    mutations: [
      {
        file: "core/dist/foreman/completer.js",
        from: "() => store.release(segment, params), segment)",
        to: "() => store.fail(segment, { owner, retainMs: 1000, elements: elements.map((one) => ({ ...one, retryInMs: 0, value: new Uint8Array(1) })) }), segment)",
      },
    ],
  },
  {
    name: "a release to the end of the list",
    ...{ play: "sigterm", args: [...quick, "--times", "3"], promises: ["order at the front"] },
    mutations: [
      {
        file: library,
        from: '"        make_ready(moves, \'front\', address, element.queue, element.priority, flow_of(element.ties))",\n        "      end",\n        "      count(moves, \'released\')",',
        to: '"        make_ready(moves, \'back\', address, element.queue, element.priority, flow_of(element.ties))",\n        "      end",\n        "      count(moves, \'released\')",',
      },
    ],
  },
  {
    name: "a Foreman that does not notice that it lost its Lease",
    ...{ play: "sigstop", args: quick, promises: ["lease_lost"] },
    mutations: [{ file: "core/dist/foreman/beater.js", from: "#lose(view) {", to: "#lose(view) { return;" }],
  },
  {
    name: "an observer that does not know that it stood still itself",
    ...{
      play: "freeze",
      args: [...quick, "--lease", "10000"],
      promises: ["no wrong rescue", "no start without a cause"],
    },
    mutations: [
      { file: rescuer, from: "if (nowMs - this.#lookedMs >", to: "if (false && nowMs - this.#lookedMs >" },
      claimsAreNoBeats,
    ],
  },
  {
    name: "suspects that are held beside each other",
    ...{ play: "poison", args: quick, promises: ["all completed"] },
    mutations: [
      {
        file: "core/dist/foreman/feeder.js",
        from: "this.#quarantine.sift(view.name, claims, (claim) => pool.push(view.name, [claim]))",
        to: "claims",
      },
    ],
  },
  {
    name: "an enqueue that appends what it has appended before: no dedupe by dot (I4)",
    ...{ ...profile, promises: ["I4", "I8", "I10", "I11", "I15"] },
    mutations: [
      { file: library, from: "\"  if last <= accepted then return { 'ok', accepted, 0 } end\",", to: '"",' },
      { file: library, from: "local skip = accepted + 1 - first", to: "local skip = 0" },
    ],
  },
  {
    name: "a rescue that takes an Attempt away and counts no recovery (I12)",
    ...{ play: "profile", args: [...profile.args, "--poison", "1"], promises: ["I12"] },
    mutations: [
      {
        file: library,
        from: "meta.recoveries, meta.returns = meta.recoveries + 1, meta.returns + 1",
        to: "meta.attempts, meta.returns = math.max(0, meta.attempts - 1), meta.returns + 1",
      },
    ],
  },
  {
    name: "a rescue that drops what it takes back (I2)",
    ...{ ...profile, promises: ["I2", "I7", "L1"] },
    mutations: [
      {
        file: library,
        from: "\"      make_ready(moves, 'front', address, element.queue, element.priority, flow_of(element.ties))\",\n        \"      count(moves, 'rescued')\"",
        to: "\"      count(moves, 'rescued')\"",
      },
    ],
  },
  {
    name: "a claim that does not say again what its lost answer had said (L5)",
    // Chance decides whether it is a claim whose answer is cut off: many are.
    ...{
      play: "profile",
      args: [...profile.args, "--only", "reset before the reply", "--harm", "15"],
      promises: ["L5"],
    },
    mutations: [{ file: library, from: "elements = held_by_token(root, owner, token)", to: "elements = {}" }],
  },
  {
    name: "tokens that do not rise (I8)",
    ...{ ...profile, promises: ["I8", "I9"] },
    mutations: [{ file: library, from: "last_token = math.max(last_token + 1, now_us(root))", to: "last_token = 7" }],
  },
  {
    name: "lines whose order nobody keeps (I25)",
    ...{ ...profile, promises: ["I25"] },
    mutations: [
      {
        file: "core/dist/app/ties.js",
        from: "line: order === null ? null : nameOf(",
        to: "line: true ? null : nameOf(",
      },
    ],
  },
  {
    name: "a claim that does not look whether a limit is used up (I26)",
    ...{ ...profile, promises: ["I26"] },
    mutations: [
      { file: library, from: "return pass.counts[gate.name] >= TIES.slots_of(pass, gate)", to: "return false" },
    ],
  },
  {
    name: "a live limit that is acknowledged and counts for nothing (I26)",
    ...{ ...profile, promises: ["I26"] },
    mutations: [
      {
        file: library,
        from: "return live and live.slots or pass.limits[gate.name] or gate.slots",
        to: "return pass.limits[gate.name] or gate.slots",
      },
    ],
  },
  {
    name: "a pace that lets everybody through (I26)",
    ...{ ...profile, promises: ["I26"] },
    mutations: [
      {
        file: library,
        from: "if gate.every then return opens_at(pass, gate) > pass.now end",
        to: "if gate.every then return false end",
      },
    ],
  },
  {
    name: "minus zero that becomes zero on its way (I5)",
    ...{ ...profile, promises: ["I1", "I5"] },
    mutations: [{ file: "core/dist/base/codec.js", from: "(value !== 0 || 1 / value > 0)", to: "true" }],
  },
  {
    name: "a pause that is acknowledged and not written down (I40)",
    // A busy machine may claim nothing in the one pause that a short play has time for.
    ...{ play: "profile", args: [...profile.args, "--only", "clients cut off", "--harm", "15"], promises: ["I40"] },
    mutations: [
      {
        file: library,
        from: "if TIES.PAUSED[mark] then return 'unchanged' end",
        to: "if true then return 'ok' end",
      },
    ],
  },
];

/** What a profile writes down of its plays, as far as it matters here. */
interface ProfileJson {
  readonly plays: readonly { readonly violations: readonly { readonly invariant: string }[] }[];
}

/** What became of a mutant: which promises were broken, and whether one of those it had to break is among them. */
export interface MutantVerdict {
  readonly isKilled: boolean;
  readonly broken: readonly string[];
}

/** Plays the play of a mutant, in processes of its own, by chance from a seed. */
export async function playMutant({ play, args, promises, mutations }: Mutant, seed: number): Promise<MutantVerdict> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-mutant-"));
  try {
    const json = join(dir, "report.json");
    const main = fileURLToPath(new URL("../main.js", `file://${distFile("mutant.js")}`));
    const words = [
      "--import",
      distFile("mutant.js"),
      main,
      ...(play === "profile" ? [] : [play]),
      ...args,
      ...["--seed", String(seed)],
      ...["--json", json],
    ];
    const env = { ...process.env, [mutantVariable]: JSON.stringify(mutations) };
    const child = spawn(process.execPath, words, { env, stdio: ["ignore", "ignore", "inherit"] });
    await once(child, "exit");
    // A play that broke down has judged nothing: that is no way to catch anything.
    if (!existsSync(json)) return { isKilled: false, broken: ["the play broke down"] };
    const told = JSON.parse(readFileSync(json, "utf8")) as readonly Report[] | ProfileJson; // by plays.ts or profiles.ts
    const names =
      "plays" in told
        ? told.plays.flatMap(({ violations }) => violations.map(({ invariant }) => invariant))
        : told.flatMap(({ breaches }) => breaches.map(({ promise }) => promise));
    const broken = [...new Set(names)];
    return { isKilled: broken.some((promise) => promises.includes(promise)), broken };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

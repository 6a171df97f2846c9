/**
 * `millrace doctor`: looks at what a Foreman will need and says what is wrong and how to mend it. Changes nothing.
 */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { isMillraceError } from "@millrace/core";
import { examineRedis, type RedisReport } from "@millrace/core/server";
import type { Command } from "commander";
import { type Config, nodeIdOf } from "../../config/load.js";
import { EXIT } from "../../exit.js";
import { drainMsOf } from "../../processes/foreman-options.js";
import { readManifest } from "../../processes/manifest.js";
import { lockDirectory } from "../../processes/node-lock.js";
import type { Cli } from "../cli.js";
import { type Output, plain, table } from "../output.js";
import { adviseOn, adviseOnDepth } from "./doctor-lints.js";

/** What one look found. */
interface Finding {
  readonly check: string;
  readonly state: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do about it; absent when it is ok. */
  readonly fix?: string;
}

interface DoctorFlags {
  readonly module?: string;
  readonly export?: string;
}

const STORE_TIMEOUT_MS = 3_000;
/** Beyond it due times are visibly early or late. */
const SKEW_WARN_MS = 1_000;
const ROUND_TRIP_WARN_MS = 20;
const MEMORY_WARN = 0.8;
const NODE_MIN = [20, 19] as const;

/** Adds the command. */
export function addDoctor(program: Command, cli: Cli): void {
  const command = program
    .command("doctor")
    .description("check what a Foreman needs: Node, settings, store, clocks, module")
    .option("--module <file>", "the App's module: can it be loaded, and what does it declare?")
    .option("--export <name>", "which export of the module is the App")
    .addHelpText(
      "after",
      `
Exit code 0 when nothing failed, 1 otherwise; warnings alone are 0.

Examples:
  $ millrace doctor --store redis://localhost
  $ millrace doctor --module ./app.js --json`,
    )
    .action(async () => {
      const flags = command.opts<DoctorFlags>();
      const findings: Finding[] = [checkNode()];
      const config = await cli.load(command).catch((error: unknown) => {
        findings.push(failed("settings", error, "see `millrace config --explain KEY`"));
        return null;
      });
      if (config !== null) {
        findings.push(ok("settings", config.file === null ? "right; no file" : `right; file ${config.file}`));
        findings.push(checkNodeId(cli, config), checkLockDirectory());
        findings.push(...(await checkStore(cli, config)), await checkPort(config));
      }
      if (flags.module !== undefined)
        findings.push(...(await checkModule(cli, flags, config === null ? null : drainMsOf(config))));
      report(cli.output, findings);
      cli.exitCode = findings.some(({ state }) => state === "fail") ? EXIT.failed : EXIT.ok;
    });
  cli.addSettings(command, ["app_id", "node_id", "store.url", "foreman.metrics_host", "foreman.metrics_port"]);
}

function report(output: Output, findings: readonly Finding[]): void {
  const colours = { ok: "green", warn: "yellow", fail: "red" } as const;
  const rows = findings.map(({ check, state, found }) => [output.paint(colours[state], state), check, plain(found)]);
  const fixes = findings.flatMap(({ check, fix }) => (fix === undefined ? [] : [`${check}: ${fix}`]));
  output.result(findings, [table(rows), ...(fixes.length === 0 ? [] : ["", ...fixes])].join("\n"));
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  const found = `Node ${process.versions.node} on ${process.platform} ${process.arch}`;
  return isEnough ? ok("node", found) : { check: "node", state: "fail", found, fix: "install Node 20.19 or newer" };
}

function checkNodeId({ world }: Cli, config: Config): Finding {
  const setting = config.settings.get("node_id");
  const name = nodeIdOf(config);
  if (setting?.origin.kind !== "default") return ok("node_id", `${name} (${setting?.origin.text})`);
  const found = `${name} (the host's name)`;
  const isContainer = world.env.KUBERNETES_SERVICE_HOST !== undefined || existsSync("/.dockerenv");
  if (!isContainer || name !== hostname()) return ok("node_id", found);
  const fix = "a container's host name changes with each start, and with it the Segment: set NODE_ID";
  return { check: "node_id", state: "warn", found, fix };
}

function checkLockDirectory(): Finding {
  try {
    return ok("locks", lockDirectory());
  } catch (error) {
    return failed("locks", error, "make it writable, or set XDG_RUNTIME_DIR or TMPDIR to a directory of your own");
  }
}

async function checkStore({ world }: Cli, config: Config): Promise<Finding[]> {
  const given = config.values["store.url"];
  const urls = typeof given === "string" ? [given] : given;
  return (await Promise.all(urls.map((url) => checkUrl(world.cwd, url, config.values.app_id)))).flat();
}

async function checkUrl(cwd: string, url: string, app: string): Promise<Finding[]> {
  if (url.startsWith("embedded:")) return [checkEmbedded(cwd, url)];
  if (url.startsWith("memory:")) {
    const fix = "it keeps nothing, and no other process sees it: for tests only";
    return [{ check: "store", state: "warn", found: "memory:", fix }];
  }
  try {
    const report = await examineRedis(url, app, STORE_TIMEOUT_MS);
    return [...judgeRedis(report), adviseOnDepth(report.segments)];
  } catch (error) {
    const fix = isMillraceError(error, "MR_STORE_URL")
      ? "write redis://USER:PASSWORD@HOST:PORT/DB, rediss://…, redis+unix:PATH, redis-sentinel://HOST,HOST/NAME or redis-cluster://HOST,HOST"
      : "start the server, or set --store, MILLRACE_STORE_URL or REDIS_URL to its address";
    return [failed("store", error, fix)];
  }
}

/** Opening it would take it from a Foreman that is about to start: we look at its directory only. */
function checkEmbedded(cwd: string, url: string): Finding {
  const path = resolve(cwd, url.slice("embedded:".length) || ".millrace");
  if (existsSync(path)) return ok("store", `embedded, ${path}`);
  if (existsSync(dirname(path))) return ok("store", `embedded, ${path} (made at the first start)`);
  const fix = `make ${dirname(path)}, or set --store to a directory that can be made`;
  return { check: "store", state: "fail", found: `embedded, ${path}: its parent is not there`, fix };
}

function judgeRedis(report: RedisReport): Finding[] {
  const { version, product, role, maxmemoryPolicy: policy, appendonly, appendfsync } = report;
  const { roundTripMs, skewMs, usedMemoryBytes: used, maxmemoryBytes: limit } = report;
  const major = version === null ? null : Number.parseInt(version, 10);
  const findings: Finding[] = [];
  const add = (
    check: string,
    found: string,
    wrong: false | { readonly state: "warn" | "fail"; readonly fix: string },
  ) => findings.push(wrong === false ? ok(check, found) : { check, found, ...wrong });
  add(
    "store",
    `${report.url}: ${product} ${version ?? "of unknown version"}`,
    major !== null && major < 7 && { state: "fail", fix: "install Redis 7.0 or newer, or Valkey" },
  );
  add(
    "store role",
    role ?? "unknown",
    role === "slave" && { state: "fail", fix: "it is a replica and takes no writes: name its primary" },
  );
  add(
    "store policy",
    policy ?? "cannot be read",
    policy === null
      ? { state: "warn", fix: "see for yourself that maxmemory-policy is noeviction" }
      : policy !== "noeviction" && { state: "fail", fix: "CONFIG SET maxmemory-policy noeviction" },
  );
  const keeps = appendonly === null ? "cannot be read" : appendonly === "yes" ? `aof, ${appendfsync}` : "nothing";
  add(
    "store persistence",
    keeps,
    appendonly !== "yes" && {
      state: "warn",
      fix:
        appendonly === null
          ? "see for yourself that appendonly is yes"
          : "CONFIG SET appendonly yes; a crash of the server loses all work otherwise",
    },
  );
  add(
    "store way",
    `${roundTripMs.toFixed(2)} ms there and back`,
    roundTripMs > ROUND_TRIP_WARN_MS && {
      state: "warn",
      fix: "put Foremen nearer to the store: latency adds to each call",
    },
  );
  add(
    "store clock",
    `${skewMs >= 0 ? "+" : "−"}${Math.abs(skewMs).toFixed(0)} ms beside ours`,
    Math.abs(skewMs) > SKEW_WARN_MS && { state: "warn", fix: "run NTP on both: due times are by the store's clock" },
  );
  if (used !== null && limit !== null && limit > 0) {
    const share = used / limit;
    const fix = "give the server more memory (maxmemory): enqueues are refused when it is full";
    add("store memory", `${(share * 100).toFixed(0)} % used`, share > MEMORY_WARN && { state: "warn", fix });
  }
  return findings;
}

async function checkPort(config: Config): Promise<Finding> {
  const { "foreman.metrics_host": host, "foreman.metrics_port": port } = config.values;
  if (port === "off" || port === 0) return ok("health", port === "off" ? "off" : "any free port");
  const isFree = await new Promise<boolean>((answer) => {
    const probe = createServer();
    probe.once("error", () => answer(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => answer(true)));
  });
  const found = `${host}:${port}`;
  if (isFree) return ok("health", `${found} is free`);
  const fix = "fine if it is your Foreman; else set --health-port";
  return { check: "health", state: "warn", found: `${found} is taken`, fix };
}

async function checkModule({ world }: Cli, flags: DoctorFlags, drainMs: number | null): Promise<Finding[]> {
  try {
    const module = resolve(world.cwd, flags.module ?? "");
    const manifest = await readManifest({ module, exportName: flags.export ?? null });
    const { app, steps } = manifest;
    const names = steps.map(({ name, kind }) => `${name} (${kind})`).join(", ");
    if (steps.length > 0) return [ok("module", `App ${app.id}: ${names}`), ...adviseOn(manifest, drainMs)];
    const fix = "declare Steps before `app.start()`: app.step(name, options, fn)";
    return [{ check: "module", state: "warn", found: `App ${app.id} declares no Step`, fix }];
  } catch (error) {
    return [failed("module", error, "it must export an App, and run in a Worker thread")];
  }
}

function ok(check: string, found: string): Finding {
  return { check, state: "ok", found };
}

function failed(check: string, error: unknown, fix: string): Finding {
  return { check, state: "fail", found: error instanceof Error ? error.message : String(error), fix };
}

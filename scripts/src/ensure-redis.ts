/**
 * Makes sure this machine has a Redis (or Valkey) server program for the tests; installs one if it has none.
 *
 * Only the program is wanted: tests start their own servers, so the system service is neither started nor left
 * enabled by us. Everything done is printed; what cannot be done is explained, with exit code 1.
 */
import { install, type PackageManager } from "./install.js";
import { findRedisServer, redisMajorMin, redisServerVariable } from "./redis-server.js";

/** Debian starts a service as soon as it is installed, unless this policy file says no; ours is temporary. */
const aptScript = `
set -e
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then printf '#!/bin/sh\\nexit 101\\n' > "$policy"; chmod 755 "$policy"; made=1; fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends redis-server
if command -v systemctl > /dev/null; then systemctl disable redis-server > /dev/null 2>&1 || true; fi
`;

const managers: readonly PackageManager[] = [
  {
    program: "apt-get",
    byHand: "apt-get update && apt-get install -y redis-server",
    script: aptScript,
    needsRoot: true,
  },
  {
    program: "dnf",
    byHand: "dnf install -y valkey   (or redis)",
    script: "dnf install -y valkey || dnf install -y redis",
    needsRoot: true,
  },
  { program: "apk", byHand: "apk add redis", script: "apk add --no-cache redis", needsRoot: true },
  { program: "brew", byHand: "brew install redis", script: "brew install redis", needsRoot: false },
];

process.exitCode = ensure();

function ensure(): number {
  const present = findRedisServer();
  if (present !== null && present.major >= redisMajorMin) return report(present.path, present.version);
  if (process.env[redisServerVariable]) {
    return giveUp(`${redisServerVariable}=${process.env[redisServerVariable]} is no server of version 7.0 or newer.`);
  }
  if (present !== null) return giveUp(`${present.path} is ${present.version}; Millrace needs 7.0 or newer.`);

  const { isDone, reason, manager } = install("redis-server (its service is not started)", managers);
  if (!isDone) return giveUp(reason, manager);

  const installed = findRedisServer();
  if (installed === null) return giveUp("The package was installed, yet no redis-server is on PATH.", manager);
  if (installed.major < redisMajorMin) {
    return giveUp(`The system's package is ${installed.version}; Millrace needs 7.0 or newer.`);
  }
  return report(installed.path, installed.version);
}

function report(path: string, version: string): number {
  console.log(`Redis for the tests: ${path} ${version}`);
  return 0;
}

function giveUp(reason: string, manager: PackageManager | null = null): number {
  console.error(reason);
  console.error("To run the tests, do one of these by hand:");
  if (manager !== null) console.error(`  - ${manager.needsRoot ? "as root: " : ""}${manager.byHand}`);
  console.error("  - install Redis or Valkey 7.0 or newer, so that redis-server or valkey-server is on PATH");
  console.error(`  - set ${redisServerVariable} to the path of such a program`);
  return 1;
}

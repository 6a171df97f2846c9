/**
 * Makes sure this machine has iproute2 (`ip`) for the tests that play with network namespaces; installs it if it has
 * none and may. Those tests need root: without it nothing is installed, and they say that they are skipped.
 *
 * Never fails: what cannot be done is printed, and the tests that need it are skipped.
 */
import { spawnSync } from "node:child_process";
import { install } from "./install.js";

const problem = ensure();
if (problem !== null) console.warn(`Tests in network namespaces will be skipped: ${problem}`);

function ensure(): string | null {
  if (process.platform !== "linux") return "network namespaces are Linux's.";
  if (process.getuid?.() !== 0) return "they need root.";
  if (hasIproute()) return null;
  const { isDone, reason } = install("iproute2 (ip)", [
    {
      program: "apt-get",
      byHand: "apt-get update && apt-get install -y iproute2",
      script:
        "export DEBIAN_FRONTEND=noninteractive; apt-get update && apt-get install -y --no-install-recommends iproute2",
      needsRoot: true,
    },
    { program: "dnf", byHand: "dnf install -y iproute", script: "dnf install -y iproute", needsRoot: true },
    { program: "apk", byHand: "apk add iproute2", script: "apk add --no-cache iproute2", needsRoot: true },
    { program: "pacman", byHand: "pacman -S iproute2", script: "pacman -Sy --noconfirm iproute2", needsRoot: true },
  ]);
  if (!isDone) return reason;
  return hasIproute() ? null : "the package was installed, yet no ip of it is on PATH.";
}

/** Small systems bring an `ip` that knows no namespaces. */
function hasIproute(): boolean {
  return spawnSync("ip", ["-V"], { encoding: "utf8" }).stdout?.includes("iproute2") === true;
}

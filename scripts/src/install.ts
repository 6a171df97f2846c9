/**
 * Installing a program of the operating system by its own package manager, for the scripts that make a machine ready
 * for the tests. Everything done is printed; nothing is done that would ask a question.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** How one package manager gets what is wanted. */
export interface PackageManager {
  readonly program: string;
  /** What a person would type; shown when we cannot do it. */
  readonly byHand: string;
  /** What we run, as a shell script. */
  readonly script: string;
  readonly needsRoot: boolean;
}

/** How an installation ended. `manager`: the one that was there, null if there is none we know. */
export interface Installed {
  readonly isDone: boolean;
  readonly reason: string;
  readonly manager: PackageManager | null;
}

/** Installs `what` by the first package manager that is here. */
export function install(what: string, managers: readonly PackageManager[]): Installed {
  const manager = managers.find(({ program }) => isOnPath(program)) ?? null;
  if (manager === null) return { isDone: false, reason: `No ${what} here, and no package manager we know.`, manager };
  const prefix = manager.needsRoot ? rootPrefix() : [];
  if (prefix === null) {
    const reason = `No ${what} here, and installing it needs root (sudo would ask for a password).`;
    return { isDone: false, reason, manager };
  }
  console.log(`No ${what} here. Installing it with ${manager.program}.`);
  console.log(`  ${[...prefix, manager.byHand].join(" ")}`);
  const [program = "sh", ...args] = [...prefix, "sh", "-c", manager.script];
  // The log of a package manager is long: it is shown only if the installation fails.
  const run = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (run.status === 0) return { isDone: true, reason: "", manager };
  console.error(`${run.stdout ?? ""}${run.stderr ?? ""}`);
  const reason = `${manager.program} failed (exit ${run.status ?? run.signal}); its log is above.`;
  return { isDone: false, reason, manager };
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What makes a command run as root: nothing, sudo without a question, or (null) it cannot. */
function rootPrefix(): readonly string[] | null {
  if (process.getuid?.() === 0) return [];
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : null;
}

/**
 * Machines on one machine: network namespaces joined by a bridge, each with an address of its own and a link that can
 * be taken down. Needs root and iproute2 (`ip`); nothing of the host's own network is touched.
 *
 *   mrNAME-sw ┬ bridge ┬ link of a ── mrNAME-a  10.77.0.2
 *             └────────┴ link of b ── mrNAME-b  10.77.0.3
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";

/** One machine of a lab. */
export interface NetMachine {
  readonly name: string;
  readonly address: string;
  /** Program and arguments that run a command there: put them in front of it. */
  readonly prefix: readonly string[];
  /** Takes its link down, both ways: packets vanish, sockets stay. */
  cut(): void;
  /** Loses what it would send to another machine; what that one sends still arrives, unanswered. */
  muteTo(other: NetMachine): void;
  /** Brings its link up again, and lets it speak to all. */
  heal(): void;
}

/** Machines that reach each other and nothing else. */
export interface NetLab extends AsyncDisposable {
  readonly machines: ReadonlyMap<string, NetMachine>;
  /** The machine of this name. Throws if there is none. */
  machine(name: string): NetMachine;
  /** Removes everything; processes in it must have ended. May be called twice. */
  remove(): void;
}

/** Why no lab can be made here, or null if one can. */
export function netnsProblem(): string | null {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const probe = `mr${randomBytes(3).toString("hex")}-probe`;
  try {
    ip("netns", "add", probe);
  } catch (error) {
    const reason = (error as { stderr?: string; code?: string }).stderr ?? (error as Error).message; // of execFileSync
    return (error as { code?: string }).code === "ENOENT" ? "iproute2 (`ip`) is not installed" : reason.trim();
  }
  ip("netns", "del", probe);
  return null;
}

/** Makes a machine for each name. Throws what `ip` says if that fails, with nothing left behind. */
export function makeNetLab(names: readonly string[]): NetLab {
  return new Lab(names);
}

const NETWORK = "10.77.0";

class Lab implements NetLab {
  readonly machines = new Map<string, NetMachine>();
  /** Short: a link's name has at most 15 characters. */
  readonly #id = `mr${randomBytes(3).toString("hex")}`;
  #isRemoved = false;
  readonly #atExit = (): void => this.remove();

  constructor(names: readonly string[]) {
    process.once("exit", this.#atExit);
    try {
      const hub = `${this.#id}-sw`;
      ip("netns", "add", hub);
      ip("-n", hub, "link", "add", "bridge", "type", "bridge");
      ip("-n", hub, "link", "set", "bridge", "up");
      for (const [i, name] of names.entries()) this.#add(hub, name, i + 2);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  machine(name: string): NetMachine {
    const machine = this.machines.get(name);
    if (machine === undefined) throw new Error(`no machine is called ${name}`);
    return machine;
  }

  remove(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    process.off("exit", this.#atExit);
    for (const space of [...this.machines.keys(), "sw"]) {
      try {
        ip("netns", "del", `${this.#id}-${space}`);
      } catch {
        // It was not made, or is gone: its links went with it.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.remove();
  }

  #add(hub: string, name: string, host: number): void {
    const space = `${this.#id}-${name}`;
    const address = `${NETWORK}.${host}`;
    const link = `port${host}`;
    ip("netns", "add", space);
    ip("-n", hub, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space);
    ip("-n", hub, "link", "set", link, "master", "bridge");
    ip("-n", hub, "link", "set", link, "up");
    ip("-n", space, "link", "set", "lo", "up");
    ip("-n", space, "address", "add", `${address}/24`, "dev", "eth0");
    ip("-n", space, "link", "set", "eth0", "up");
    const muted = new Set<string>();
    this.machines.set(name, {
      name,
      address,
      prefix: ["ip", "netns", "exec", space],
      cut: () => ip("-n", hub, "link", "set", link, "down"),
      muteTo: (other) => {
        ip("-n", space, "route", "add", "blackhole", other.address);
        muted.add(other.address);
      },
      heal: () => {
        ip("-n", hub, "link", "set", link, "up");
        for (const to of muted) ip("-n", space, "route", "del", "blackhole", to);
        muted.clear();
      },
    });
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", [...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

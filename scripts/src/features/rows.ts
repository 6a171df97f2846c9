/**
 * What Millrace is to do, row by row: the ids that test names begin with. The only list of them.
 *
 * Ids are stable and never used twice. A row that is due must have a test; `building` says that somebody is at it,
 * `later` that it belongs to a part that is not built yet. Used by features.ts and by the tests of this folder.
 */

/** The stores a row is shown on. */
export const storeNames = ["memory", "embedded", "Redis", "Cluster"] as const;

/** One of them. */
export type StoreName = (typeof storeNames)[number];

/** Whether a row is owed today; `dueWords` says what each means. */
export type Due = "now" | "building" | "later";

/** What stands in the column, for readers of the table. */
export const dueWords: Readonly<Record<Due, string>> = {
  now: "built: without a proof the check fails",
  building: "somebody is at it",
  later: "belongs to a part of the product that is not built yet",
};

/** One thing Millrace does, with the test that would convince a stranger in mind. */
export interface Row {
  readonly id: string;
  readonly title: string;
  /** The part of the product it belongs to. */
  readonly area: string;
  readonly due: Due;
  /** Where its tests must have run for the row to count as tested; none for rows without a store. */
  readonly stores: readonly StoreName[];
  /** The part of it that is not built yet; null when nothing is missing. */
  readonly open: string | null;
  /** The bench whose gates prove it, alone or beside tests, by its name; null for what tests can show. */
  readonly bench: string | null;
}

const families = "BFGECXO";
const everywhere = storeNames;
const none: readonly StoreName[] = [];

/** A title with what else is to be said of its row. */
interface Entry {
  readonly title: string;
  readonly open?: string;
  readonly bench?: string;
}

/** Titles by id; one table an area. A part that is still missing, or a bench, stands beside the title. */
type Titles = Readonly<Record<string, string | Entry>>;

function rowsOf(area: string, due: Due, stores: readonly StoreName[], titles: Titles): Row[] {
  return Object.entries(titles).map(([id, given]) => {
    const entry: Entry = typeof given === "string" ? { title: given } : given;
    const { title, open = null, bench = null } = entry;
    return { id, title, open, bench, area, due, stores };
  });
}

/** Every row, in the order of its id. */
export const rows: readonly Row[] = [
  ...rowsOf("queue", "now", everywhere, {
    B5: "publish and start are two things; work is taken before the start",
    B6: "submit by Step or by name, one or many; bad input is refused at once",
    B7: "handles: result, wait, status, cancel, progress; no end is missed",
    B8: "bulk cancel and delete, paged and counted",
    B14: "async Workers run as many Attempts at once as they have slots",
    B29: "one claim wins; its repeat gets the same answer",
    B30: "an update of a stale owner changes nothing",
    B31: "no duplicate without a fault, one accepted result with one",
    B32: "larger priorities first, first come among equals",
    B33: "Apps see nothing of each other",
    B37: "a started App takes work",
    B38: "a graceful stop finishes what runs and hands back the rest unharmed",
    F4: "the whole life of a task",
    F5: "options of one submit, apart from its input",
    F6: "back-pressure: a full Queue waits or refuses",
    F7: "results and failures are read back by id",
    F14: "priorities as numbers, larger sooner",
    F15: "retries with growing waits that survive a restart",
    F24: "events of what ended; a slow or broken listener harms nothing",
    G11: "an idempotency key gives the first answer again",
    X3: "true cancel and timeouts",
    X4: "limits, rates and turns per key, checked in the claim, changed live; who meets a full one waits, is skipped or cancelled",
    X6: "an explanation of why something does not run",
    X8: "claims and outcomes in batches, exact after a crash",
    X9: "durability per call, with a receipt",
    X12: "dead letters in groups, and their redrive",
    X13: "dedupe and debounce",
    X14: "strict order per key",
    X15: "Steps that take a batch",
    X18: {
      title: "search, and bulk actions by filter",
      open: "an index of errors: a filter that names nothing but an error, a state or a Queue reads what it looks through, dead letters first, in pages",
    },
    X19: "an online check that finds what is not where it belongs",
    X27: "a door for BullMQ programs",
    X29: "a memory budget, and early refusal",
  }),
  ...rowsOf("queue", "now", ["memory"], { F11: "the memory store behaves as the others" }),
  ...rowsOf("queue", "now", ["Redis", "Cluster"], {
    B26: "each Node writes a Segment of its own",
    B27: "claims visit Segments by highest priority, then oldest head, and let none starve",
    B35: "a cut connection heals, and nothing is lost",
    X1: "work goes on within seconds of a store's return",
  }),
  ...rowsOf("queue", "now", none, {
    B28: "copies of a record merge to the same end in any order",
    F23: "counts and lists that equal a recount",
    X20: "a test kit: virtual time, seeds, mocks",
  }),
  ...rowsOf("foreman", "now", none, {
    O1: "the mix stands still under noise",
    O2: "the mix follows a shift of the load",
    O3: "a burst is met at once",
    O4: "the mix keeps to its bounds",
    O5: "a change that does harm is taken back",
    O6: "pins, and telemetry that is missing",
    O7: "scores as computed by hand",
    O8: "chains of calls do not starve",
  }),
  ...rowsOf("foreman", "now", everywhere, { B1: "an App and its stores" }),
  ...rowsOf("foreman", "now", ["Redis", "Cluster"], { F12: "results on Redis" }),
  ...rowsOf("foreman", "now", none, {
    B2: "Steps, async and blocking",
    B13: "one Foreman per Node starts, watches and replaces Workers",
    B15: "blocking Workers use several cores",
    B16: "numbers of Workers, changed live",
    B17: "a mix of Workers that follows the work",
    B19: { title: "more Foremen, more work done" },
    B25: "a Node's name belongs to one machine",
    B36: "calls are repeated while the store is away, for a time or a number of times",
    B41: { title: "the cost of each call is bounded", bench: "lua" },
    B42: { title: "throughput of one to ten Nodes", bench: "nodes" },
    B43: { title: "advice on settings" },
    F1: "an App is stopped by the end of its block",
    F2: "a registry of Steps, which can be taken out again",
    F3: "tasks and their options, each with an effect",
    F8: "many waits at once on one thread",
    F9: "CPU work on several threads",
    F10: "executors of the user's own",
    F27: "configuration from objects, files and the environment",
    F28: "Workers apart from the program that enqueues",
    X2: "slow is told from stuck",
    X11: {
      title: "one Queue over several servers",
      open: "moving a Segment; limits over servers and the rate of four are not shown",
    },
  }),
  ...rowsOf("foreman", "later", none, {
    B4: "Services made once per Worker",
    B18: "waiting parents hold no slot",
    F13: "results elsewhere",
    X31: "a view of processes that can act",
  }),
  ...rowsOf("workflows", "later", none, {
    B3: "Workflows that resume from a journal",
    B9: "data flows from call to Step to caller",
    B10: "a synchronous client",
    B11: "synchronous helpers",
    B12: "advice on which of the two to use",
    B21: "a Unit's record",
    B22: "an Operation's record",
    B23: "persistence and resume",
    B34: "channels between Apps",
    B39: "fan out and in",
    B40: "pipelines",
    B53: "Breadcrumbs",
    X5: "run again from a Step",
    X7: "a ledger of effects",
    X10: "dispatch by version",
    X16: "signals, sleep, approvals",
    X21: "one journal for code and YAML",
    X22: "effects in doubt",
    X24: "a map on the server",
    X25: "Steps go on in the living function",
  }),
  ...rowsOf("connectors", "later", none, {
    B44: "what Connectors have in common",
    B45: "SQL",
    B46: "HTTP",
    B47: "SSH",
    B48: "pools",
    B49: "credentials",
    X23: "flow that adapts to what a Connector bears",
    X26: "a relay from the user's own database",
  }),
  ...rowsOf("connectors", "now", ["embedded", "Redis"], {
    X28: { title: "large and private payloads", open: "values on a disk or in S3, and above 16 MiB" },
  }),
  ...rowsOf("schedules", "later", none, {
    F16: "a scheduler that sleeps until it is needed",
    F17: "cron",
    F18: "intervals and single dates",
    F19: "schedules survive",
    F20: "one firing per tick",
    F21: "missed and overlapping ticks",
    F22: "options of a schedule",
    X17: "catching up, and filling in the past",
  }),
  ...rowsOf("graphs", "later", none, {
    G1: "a graph in YAML",
    G2: "more keys of it",
    G3: "all faults of a file at once",
    G4: "versions of a graph",
    G5: "successors start at once",
    G6: "when a run is over",
    G7: "states and their names",
    G8: "retries of a task",
    G10: "recovery of runs",
    G12: "shell commands",
    G13: "runs by cron",
    G14: "several schedulers",
  }),
  ...rowsOf("graphs", "now", none, { G9: "beats and dead Nodes" }),
  ...rowsOf("server", "now", everywhere, {
    B20: {
      title: "typed records of everything",
      open: "records of Attempts before the last, units, workflows, services, connectors, schedules and channels; REST",
    },
  }),
  ...rowsOf("server", "later", none, {
    B24: "audit and retention",
    B50: "errors on each level",
    B51: "a terminal view",
    B52: "charts of the Foreman",
    B54: "what was left out, and why",
    F25: "a page to mount in a program",
    F26: "its routes",
    G15: "the envelope of answers",
    G16: "a command line, and metrics",
    G17: "logs",
    G18: "settings",
    G19: "a web console",
    G20: "a composition of containers",
    G21: "a cluster's manifest",
    G22: "make targets",
    G23: "examples",
    G24: "tests of the graph",
    G25: "who may do what",
    X30: "traces and alerts",
    X32: "roles, audit, redaction",
    ...Object.fromEntries(
      [
        "health",
        "metrics",
        "list graphs",
        "submit a graph",
        "read a graph",
        "retire a graph",
        "start a run",
        "list runs",
        "read a run",
        "tasks of a run",
        "status of it all",
        "Workers",
        "the routes that were added",
      ].map((title, index) => [`E${index + 1}`, `route: ${title}`]),
    ),
    C1: "command: submit",
    C2: "command: trigger",
    C3: "commands that read",
    C4: "commands: status and Workers",
    C5: "all other commands",
  }),
].toSorted((a, b) => byId(a.id, b.id));

/** Orders ids by family, then by number. */
function byId(a: string, b: string): number {
  const family = families.indexOf(a.charAt(0)) - families.indexOf(b.charAt(0));
  return family === 0 ? Number(a.slice(1)) - Number(b.slice(1)) : family;
}

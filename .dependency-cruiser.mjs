/**
 * Which way the arrows point, as data. Down only; rooms that do not name each other never see each other.
 *
 * `npm run layers` reads this twice: the house must keep every rule, and test/layers/fixture must break each one.
 */

/** Room of core → the rooms it may import from. `app` is every file at the top of core/src, and core/src/app. */
const rooms = {
  base: [],
  engine: ["base"],
  ring: ["base"],
  queue: ["engine", "base"],
  "store/redis": ["engine", "base"],
  "store/embedded": ["engine", "base"],
  "store/sites": ["engine", "base"],
  workflow: ["queue", "engine", "base"],
  service: ["engine", "base"],
  worker: ["workflow", "service", "ring", "engine", "base"],
  foreman: ["worker", "workflow", "queue", "ring", "engine", "base"],
};

/** Unit tests sit beside their file and may reach for anything that helps them. */
const unitTest = "\\.test\\.ts$";

const core = "^core/src/";
const folder = (room) => `${core}${room}/`;
const anyRoom = `${core}([^/]+\\.ts$|(app|compat|testing|${Object.keys(rooms).join("|")})/)`;

const arrowsDown = Object.entries(rooms).map(([room, below]) => ({
  name: `${room.replace("/", "-")}-looks-down`,
  comment: `${room} imports ${below.length === 0 ? "no other room" : `${below.join(", ")} and nothing else`} of core.`,
  severity: "error",
  from: { path: folder(room), pathNot: unitTest },
  to: { path: core, pathNot: [room, ...below].map(folder) },
}));

export default {
  forbidden: [
    ...arrowsDown,
    {
      name: "no-circle",
      comment: "Two files that need each other are one file, or hide a third.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "every-file-in-a-room",
      comment: "A folder the drawing does not know has no place in it: draw it first.",
      severity: "error",
      from: { path: core },
      to: { path: core, pathNot: anyRoom },
    },
    {
      name: "nothing-imports-testing",
      comment: "testing/ is a door for tests; production code behind it would ship test doubles.",
      severity: "error",
      from: { path: core, pathNot: [folder("testing"), unitTest] },
      to: { path: folder("testing") },
    },
    {
      name: "compat-by-the-public-door",
      comment:
        "A door for other libraries' programs is a program of ours: it sees index.ts and base, the rest by its seam.",
      severity: "error",
      from: { path: folder("compat"), pathNot: [`${core}compat/[^/]+/seam\\.ts$`, unitTest] },
      to: { path: core, pathNot: [folder("compat"), folder("base"), `${core}index\\.ts$`] },
    },
    {
      name: "nothing-imports-compat",
      comment: "Who does not use another library's names should not load them.",
      severity: "error",
      from: { path: core, pathNot: [folder("compat"), unitTest] },
      to: { path: folder("compat") },
    },
    {
      name: "inspect-stays-off-the-hot-path",
      comment: "Admin reads may be slow; only the public face loads them.",
      severity: "error",
      from: { path: core, pathNot: [`${core}(app|handle|internal)\\.ts$`, `${core}app/`, folder("testing"), unitTest] },
      to: { path: `${core}queue/inspect\\.ts$` },
    },
    {
      name: "base-needs-little",
      comment: "base rests on Node, the codec and the cron library alone.",
      severity: "error",
      from: { path: folder("base"), pathNot: unitTest },
      to: { path: "node_modules/", pathNot: "node_modules/(msgpackr|croner)/" },
    },
    {
      name: "engine-has-no-io",
      comment: "The contract is types and arithmetic: what reads a file or a socket is a store.",
      severity: "error",
      from: { path: folder("engine"), pathNot: unitTest },
      to: {
        path: "node_modules/|^(node:)?(child_process|cluster|dgram|dns|fs|http|http2|https|net|tls|worker_threads)(/|$)",
        pathNot: "node_modules/@standard-schema/",
      },
    },
    {
      name: "core-knows-no-neighbour",
      comment: "core is what users install: it cannot need the workspaces around it.",
      severity: "error",
      from: { path: core },
      to: { path: "^(bench|test|scripts|docs|server)/" },
    },
    {
      name: "core-by-its-doors",
      comment: "Outside core only its doors exist (package.json, `exports`), never a path into it.",
      severity: "error",
      from: { path: "^(bench|test|scripts|docs/examples|server)/" },
      to: { path: "(^|/)core/(src|dist)/", dependencyTypesNot: ["aliased-workspace"] },
    },
    {
      name: "server-needs-no-tests",
      comment: "server ships: it uses core's working doors, not the one for tests, and no neighbour.",
      severity: "error",
      from: { path: "^server/src/", pathNot: unitTest },
      to: { path: "^(bench|test|scripts|docs)/|^core/(src|dist)/testing/" },
    },
    {
      name: "commands-above-processes",
      comment: "A process runs without the command line, and settings and logs without either.",
      severity: "error",
      from: { path: "^server/src/(config|log|processes)/" },
      to: { path: "^server/src/cli/" },
    },
    {
      name: "declared-packages-only",
      comment: "A package that package.json does not name is there by luck.",
      severity: "error",
      from: { path: "^(core|server)/src/", pathNot: unitTest },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    // Type imports are arrows too: a room that knows another's types knows the room.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    // What is built or wrong on purpose is no part of the house; the fixture is cruised from its own folder.
    exclude: { path: "^test/(dist|layers/fixture)/" },
    doNotFollow: { path: "node_modules/|(^|/)dist/" },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
  },
};

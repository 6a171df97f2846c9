/** docs/reference/configuration.md, from server's table of settings. */
import { describeRow } from "@millrace/core/internal";
import { configKeys, envNamesOf, flagsOf, rowOf } from "@millrace/server/internal";
import { code, head, table } from "./page.js";

const INTRO = `What the \`millrace\` command and its processes can be told. All of it is optional.

A flag wins over an environment variable, that over the file, that over the default. The file is the one \`--config\`
names, else the one \`MILLRACE_CONFIG\` names, else \`millrace.config.yaml\`, \`.json\` or \`.mjs\` (its default export) in
the working directory; files do not merge. A key \`a.b_c\` is written as \`a: {b_c: …}\` in the file, as
\`MILLRACE_A_B_C\` in the environment and as \`--a-b-c\` on the command line.

An unknown key, an unknown variable that begins with \`MILLRACE_\`, a wrong type or a value out of bounds ends the process
with exit code 2, all problems at once, each with its source and the nearest right name. A variable that holds a secret
can be given as a file: \`MILLRACE_STORE_URL_FILE=/run/secrets/store\`.

Where nobody gives a setting, the option of the App in the module stands; then the default. *reload*: a running Foreman
takes a new value at SIGHUP; of the others it says that they need a restart. \`millrace config\` prints every value and
where it came from, secrets as \`[secret]\`; \`millrace config --explain KEY\` says all about one.
`;

/** One table of all settings. */
export function configurationPage(): string {
  const rows = configKeys.map((key) => {
    const row = rowOf(key);
    const flags = flagsOf(key).map((flag) => code(`--${flag}`));
    const value = row.default === undefined ? (row.otherwise ?? "") : code(String(row.default));
    const also = envNamesOf(key).slice(1).map(code).join(", ");
    const app = row.app === undefined ? "" : code(row.app);
    return [code(key), describeRow(row), value, flags.join(", "), also, app, row.reload ? "yes" : "no", row.sentence];
  });
  const columns = ["key", "allowed", "default", "flags", "other variables", "App option", "reload", "meaning"];
  return `${head("Configuration", "server/src/config/options.ts", INTRO)}\n${table(columns, rows)}\n`;
}

/** docs/reference/cli.md: what each command says with --help. */
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { run } from "@millrace/server/internal";
import { head } from "./page.js";

const COMMANDS: readonly (readonly string[])[] = [[], ["foreman"], ["enqueue"], ["config"], ["doctor"]];

const INTRO = `What \`millrace\` and each of its commands say with \`--help\`. Results go to standard output, everything else to
standard error; \`--json\` makes both JSON. \`millrace-foreman\` is \`millrace foreman\`.
`;

/** One section per command. */
export async function cliPage(): Promise<string> {
  const sections = await Promise.all(
    COMMANDS.map(async (words) => {
      const title = ["millrace", ...words].join(" ");
      return `## ${title}\n\n\`\`\`\n${(await helpOf(words)).trimEnd()}\n\`\`\`\n`;
    }),
  );
  return [head("Command line", "server/src/cli", INTRO), ...sections].join("\n");
}

async function helpOf(words: readonly string[]): Promise<string> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const shown = text(stdout);
  await run({ env: {}, cwd: "/", stdin: Readable.from([]), stdout, stderr, argv: [...words, "--help"] });
  stdout.end();
  return await shown;
}

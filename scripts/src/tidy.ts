/**
 * Checks what no other tool sees: docstrings, the glossary, and that each fact has one knower.
 *
 * Usage: `node scripts/dist/tidy.js`; exit code 1 with one line per finding. The checks are in tidy/, pure
 * functions from source texts to findings.
 */
import { root } from "./root.js";
import { inspectDocstrings } from "./tidy/docstrings.js";
import { inspectKnowers } from "./tidy/knowers.js";
import { inspectLeftovers } from "./tidy/leftovers.js";
import { readHouse } from "./tidy/source.js";
import { inspectWords } from "./tidy/words.js";

const sources = readHouse(root);
const findings = [inspectDocstrings, inspectKnowers, inspectLeftovers, inspectWords].flatMap((inspect) =>
  inspect(sources),
);
for (const { path, line, message } of findings) console.error(`${path}:${line} ${message}`);
console.log(`tidy: ${sources.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;

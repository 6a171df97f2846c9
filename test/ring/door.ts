/**
 * The ring as built in core, in files of its own: light enough to load in hundreds of short-lived threads (the internal
 * door brings stores along), and open to be broken on purpose, to see that the tests notice.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What the door opens to. */
export type Ring = Pick<
  typeof import("@millrace/core/internal"),
  | "Consumer"
  | "createRingBuffer"
  | "Duplex"
  | "FrameReader"
  | "FrameWriter"
  | "HEADER_BYTES"
  | "Producer"
  | "ROOM"
  | "waitForFrame"
  | "waitForRoom"
  | "WAKE"
>;

/** A file of the ring, without its ending. */
export type RingFile = "duplex" | "frame" | "layout" | "ring" | "wait";

/** A change to the text of one file. */
export interface Mutation {
  readonly file: RingFile;
  readonly from: RegExp;
  readonly to: string;
}

/** A copy of the ring on disk; `url` is what a thread imports. */
export interface Door {
  readonly url: string;
  remove(): void;
}

/** Copies the ring, changed as told. */
export function makeDoor(mutations: readonly Mutation[] = []): Door {
  const built = dirname(fileURLToPath(import.meta.resolve("@millrace/core/internal")));
  const folder = mkdtempSync(join(tmpdir(), "millrace-ring-"));
  const files = ["ring", "base"].flatMap((room) => {
    mkdirSync(join(folder, room));
    return readdirSync(join(built, room)).map((file) => join(room, file));
  });
  for (const file of files.filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(join(built, file), "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
    const changes = mutations.filter((one) => file === join("ring", `${one.file}.js`));
    writeFileSync(join(folder, file), changes.reduce(mutate, text));
  }
  const exported = ["ring", "wait", "duplex", "frame", "layout"].map((file) => `export * from "./ring/${file}.js";\n`);
  writeFileSync(join(folder, "door.js"), exported.join(""));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  return {
    url: pathToFileURL(join(folder, "door.js")).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function mutate(text: string, { file, from, to }: Mutation): string {
  if (!from.test(text)) throw new Error(`${file}.js has no piece like ${from}`);
  return text.replace(from, to);
}

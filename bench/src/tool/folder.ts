/** Folders for embedded stores: fresh, on a named kind of file system, gone on every way out. */
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where throw-away stores lie: `MILLRACE_BENCH_DIR`, else the system's temporary folder. */
export function storesFolder(): string {
  return process.env.MILLRACE_BENCH_DIR ?? tmpdir();
}

/** Makes an empty folder that is removed with `remove`, or when this process exits. */
export function freshFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(storesFolder(), "millrace-bench-"));
  const remove = (): void => {
    rmSync(path, { recursive: true, force: true });
    process.off("exit", remove);
  };
  process.once("exit", remove);
  return { path, remove };
}

/** Whether the stores' folder is on a disk: in memory a flush costs nothing and proves nothing. */
export function fileSystemText(): string {
  const memoryTypes = new Set([0x01021994, 0x858458f6]); // tmpfs, ramfs: statfs(2)
  return memoryTypes.has(statfsSync(storesFolder()).type) ? "in memory (a flush is free here)" : "on disk";
}

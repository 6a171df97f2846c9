/**
 * Finds the files to index: every regular file below a folder, in one fixed order.
 *
 * Symbolic links are counted, not followed: what they point to would be indexed twice, or for ever.
 */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "./index-file.js";

/** What was found. Paths are relative to the folder, with `/` between names, sorted by code unit. */
export interface Found {
  readonly files: readonly string[];
  readonly symlinks: number;
  /** Folders that could not be read, and why. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/** Walks the tree below `root`, passing over the folders in `except` (absolute paths). */
export async function scan(root: string, except: readonly string[]): Promise<Found> {
  const files: string[] = [];
  const unreadable: { path: string; reason: string }[] = [];
  let symlinks = 0;
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await list(join(root, folder));
    if (typeof entries === "string") {
      unreadable.push({ path: folder, reason: entries });
      continue;
    }
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isSymbolicLink()) symlinks++;
      else if (entry.isFile()) files.push(path);
      else if (entry.isDirectory() && !except.includes(join(root, path))) folders.push(path);
    }
  }
  files.sort();
  unreadable.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, symlinks, unreadable };
}

/** A folder's entries, or the system's word for why they cannot be read. */
async function list(folder: string): Promise<Dirent[] | string> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isSystemError(error)) return error.code;
    throw error;
  }
}

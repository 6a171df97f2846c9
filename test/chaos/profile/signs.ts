/** Files by which the harness and a program on an embedded store give each other signs. */
import { join } from "node:path";

/** Its appearance tells the program to finish all work and leave. */
export function drainFile(dir: string): string {
  return join(dir, "drain");
}

/** Its appearance tells that it has. */
export function drainedFile(dir: string): string {
  return join(dir, "drained");
}

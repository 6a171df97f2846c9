/** The ACL rules of docs/guides/redis.md, read from its page, so that what is tested is what is told. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The words of `ACL SETUSER <user> …` in the guide, with the App's name in the place of `shop`. */
export function aclRulesOf(user: string, app: string): string[] {
  const path = fileURLToPath(new URL("../../docs/guides/redis.md", import.meta.url));
  const joined = readFileSync(path, "utf8").replaceAll("\\\n", " ");
  const line = joined.split("\n").find((one) => one.startsWith(`ACL SETUSER ${user} `));
  if (line === undefined) throw new Error(`the guide has no rules for the user ${user}`);
  return line
    .split(/\s+/)
    .slice(3)
    .filter((word) => word !== "")
    .map((word) => word.replaceAll("shop", app));
}

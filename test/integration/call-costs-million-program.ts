/**
 * Looking into 1,000,000 Operations on Redis: what each single store call costs the server. Outside the suite;
 * `node test/dist/integration/call-costs-million-program.js [count] [pages]` prints a table.
 *
 * The figures are processor time of the server's main thread, reading the call and writing its answer included. On a
 * machine that does other things, too, single calls cost more than on a quiet one: caches are shared.
 */
import { startRedis } from "@millrace/scripts/redis-server";
import { measureCalls, quantile } from "../helper/call-costs.js";

const count = Number(process.argv[2] ?? 1_000_000);
const pages = Number(process.argv[3] ?? 1_000);

await using server = await startRedis();
const found = await measureCalls(server, count, pages);
console.log(`${count} Operations; milliseconds of the server's processor per call`);
console.log(`${"".padEnd(30)} ${["calls", "median", "p99", "worst"].map((head) => head.padStart(8)).join(" ")}`);
for (const { what, costs, result } of found) {
  const figures = [0.5, 0.99, 1].map((share) => quantile(costs, share).toFixed(2).padStart(8));
  console.log(`${what.padEnd(30)} ${String(costs.length).padStart(8)} ${figures.join(" ")}  ${result}`);
}

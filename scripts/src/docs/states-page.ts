/** The states of an Operation and the moves between them, from MOVES. */
import { isTerminal, MOVES, OPERATION_STATES } from "@millrace/core/internal";
import { code, head, table } from "./page.js";

/** docs/reference/states.md: every move, by transition. */
export function statesPage(): string {
  const intro = [
    "The states of an Operation and every legal move. A transition asked for any other move changes nothing and says so.",
    "Who may ask for which, and why, is told in [states.md](../states.md).",
  ].join("\n");
  const states = OPERATION_STATES.map((state, rank) => [code(state), String(rank), isTerminal(state) ? "yes" : ""]);
  const moves = MOVES.map(({ transition, from, to }) => [code(transition), from === null ? "–" : code(from), code(to)]);
  return [
    head("States and moves", "core/src/engine/operation.ts", intro),
    "## States\n",
    `${table(["state", "rank", "ends the generation"], states)}\n`,
    "## Moves\n",
    `${table(["transition", "from", "to"], moves)}\n`,
  ].join("\n");
}

/** The square of docs/states.md: from each state (rows) to each state (columns), the transitions that lead there. */
export function movesTable(): string {
  const rows = [null, ...OPERATION_STATES].map((from) => [
    from === null ? "*nothing*" : `**${from}**`,
    ...OPERATION_STATES.map((to) => {
      const ways = MOVES.filter((move) => move.from === from && move.to === to);
      return [...new Set(ways.map(({ transition }) => transition))].join(", ");
    }),
  ]);
  return table(["from ↓ to →", ...OPERATION_STATES], rows);
}

/**
 * What a server says of itself: whether it is a primary, and which life of which server it is. Remembered from one
 * connection to the next, so that a failover and a restart are told from a mere cut. Used by redis-store.ts.
 */
import type { RestoredCause } from "../../engine/store.js";
import { isErrorReply, type Session } from "./connection.js";
import { fieldsOfInfo } from "./preflight.js";

/** One life of one server. Empty texts where it does not let us read. */
interface Life {
  /** Drawn at each start. */
  readonly runId: string;
  /** The history of its data; a promoted replica begins a new one and names the former one. */
  readonly history: string;
  readonly formerHistory: string;
}

/** What a greeting found. */
export interface Meeting {
  readonly cause: RestoredCause;
  /** Nothing was known of this life of the server: its settings were not looked at yet. */
  readonly isNew: boolean;
}

/** What is remembered of the server this process works with. */
export class Identity {
  #life: Life | null = null;
  #met: Life | null = null;

  /** Looks who it is; until `accept` the next look finds the same again. Errors: those of the session. */
  async meet(session: Pick<Session, "command">): Promise<Meeting> {
    const before = this.#life;
    const now = await lifeOf(session);
    this.#met = now;
    if (before !== null && (now.runId === "" || before.runId === now.runId)) {
      return { cause: "reconnected", isNew: false };
    }
    return { cause: before === null ? "reconnected" : causeOf(before, now), isNew: true };
  }

  /** Remembers what the latest look found: the greeting went well. */
  accept(): void {
    this.#life = this.#met;
  }
}

/** Whether a server is a primary; null if it does not say. Errors: those of the session. */
export async function isPrimary(session: Pick<Session, "command">): Promise<boolean | null> {
  const reply = await session.command("ROLE");
  if (isErrorReply(reply) || !Array.isArray(reply)) return null;
  return String(reply[0]) === "master";
}

/** A replica that was promoted names the history it followed; any other new life is a restart. */
function causeOf(before: Life, now: Life): RestoredCause {
  const isHeir = before.history !== "" && [now.history, now.formerHistory].includes(before.history);
  return isHeir ? "failover" : "restarted";
}

async function lifeOf(session: Pick<Session, "command">): Promise<Life> {
  const server = fieldsOfInfo(await session.command("INFO", "server"));
  const replication = fieldsOfInfo(await session.command("INFO", "replication"));
  return {
    runId: server.get("run_id") ?? "",
    history: replication.get("master_replid") ?? "",
    formerHistory: replication.get("master_replid2") ?? "",
  };
}

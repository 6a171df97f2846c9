/**
 * Puts the optimiser into a Foreman: the Workers it begins with, where its samples come from, and the duty itself.
 */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { Store } from "../engine/store.js";
import type { Crew, SquadSpec } from "./crew.js";
import { CrewSource } from "./crew-source.js";
import type { Kind, PerPool } from "./mix/mix.js";
import { beginOptimiser } from "./mix/optimiser.js";
import type { MixPlan } from "./mix/state.js";
import { MixLog } from "./mix-log.js";
import { createMixMetrics } from "./mix-metrics.js";
import { OptimiserDuty } from "./optimiser-duty.js";

/** What a crew is to be kept by. */
export interface MixSpec {
  readonly plan: MixPlan;
  /** File of the decision log (worker_mix.log); null to keep none. */
  readonly logPath: string | null;
}

/** What keeping a mix takes. */
export interface MixKeeperOptions extends MixSpec {
  readonly crew: Crew;
  readonly squads: readonly SquadSpec[];
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: string;
  /** Live Foremen of the App, as far as they are known. */
  readonly foremen: () => number;
}

/** The duty, and where surveys are to be told. */
export interface MixKeeper {
  readonly duty: OptimiserDuty;
  readonly source: CrewSource;
  /** Moves nobody any more; resolves when the log is written. */
  close(): Promise<void>;
}

/** The squads with the Workers and slots the optimiser begins with: what was configured, within caps and pins. */
export function fitSquads(squads: readonly SquadSpec[], plan: MixPlan): SquadSpec[] {
  const { mix } = beginOptimiser(plan, registeredIn(squads), 0).state;
  return squads.map((squad) => {
    if (squad.kind === "async") return { ...squad, count: mix.async, slots: mix.slots };
    return squad.kind === "blocking" ? { ...squad, count: mix.blocking } : squad;
  });
}

/** Makes the keeper of a crew that was made from `fitSquads`. */
export function keepMix(options: MixKeeperOptions): MixKeeper {
  const { crew, squads, store, clock, logger, nodeId, foremen, plan, logPath } = options;
  const queuesOf = (kind: Kind) => squads.find((squad) => squad.kind === kind)?.queues;
  const [blocking, async] = [queuesOf("blocking"), queuesOf("async")];
  const source = new CrewSource({
    ...{ crew, store, clock, foremen, segment: nodeId },
    queues: { ...(blocking === undefined ? {} : { blocking }), ...(async === undefined ? {} : { async }) },
  });
  const isRegistered = registeredIn(squads);
  const metrics = createMixMetrics();
  const lost = () => metrics.add("mixLogErrors");
  const mixLog = logPath === null ? null : new MixLog({ path: logPath, log: logger, lost });
  const duty = new OptimiserDuty({ plan, isRegistered, source, clock, log: logger, nodeId, mixLog, metrics });
  duty.attach(crew);
  const close = async () => {
    duty.detach();
    await mixLog?.flush();
  };
  return { duty, source, close };
}

function registeredIn(squads: readonly SquadSpec[]): PerPool<boolean> {
  const has = (kind: Kind) => squads.some((squad) => squad.kind === kind);
  return { blocking: has("blocking"), async: has("async") };
}

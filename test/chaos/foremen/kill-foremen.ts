/**
 * kill -9 of Foremen, again and again, at random moments and at chosen ones, under load: nothing acknowledged is lost,
 * nothing is accepted twice, only what a killed process held begins again, and soon.
 */
import { Fleet, pause } from "./fleet.js";
import type { ForemanProcess } from "./foreman-process.js";
import { breach, figuresOf, type Report, report, type ScenarioOptions } from "./report.js";
import { MOMENTS } from "./settings.js";

/** Beyond the Lease, within which others must have taken up what a killed process held. */
export const resumeSpareMs = 2_000;
/** Within which the next Foreman of a supervisor must have taken it up. */
export const resumeSupervisedMs = 1_000;

/** Pauses between kills, as parts of a Lease: others live long enough to watch, now and then not. */
const pauses = [0.05, 0.6] as const;
/** A supervisor waits on purpose when a life was shorter; chance kills, it is not the Foreman that cannot live. */
const shortLifeMs = 10_200;
const foremen = 3;
const armedPercent = 30;
const momentPatienceMs = 5_000;

/** How often it kills, and how soon others, or the next of a supervisor, must have gone on. */
export interface KillOptions extends ScenarioOptions {
  readonly kills: number;
  readonly resumeMs?: number;
  /** Kills none that is younger. */
  readonly upMs?: number;
  /** Between two kills: at least, and at most. */
  readonly pauseMs?: readonly [number, number];
}

/** Kills `kills` times. */
export async function killForemen(options: KillOptions): Promise<Report> {
  const { form, seed, leaseMs, kills, progress } = options;
  const isSupervised = form === "supervised";
  const { resumeMs = isSupervised ? resumeSupervisedMs : leaseMs + resumeSpareMs } = options;
  const { upMs = isSupervised ? shortLifeMs : 0 } = options;
  const { pauseMs: [leastMs, mostMs] = [pauses[0] * leaseMs, pauses[1] * leaseMs] } = options;
  return await report("kill-foremen", options, async () => {
    await using fleet = await Fleet.open({
      ...{ form, foremen, leaseMs, seed, asyncWorkers: 1, slots: 8, rate: 200, ms: [5, 120] },
    });
    fleet.load.start();
    const { dice } = fleet;
    let armed = 0;
    for (let kill = 1; kill <= kills; kill++) {
      await pause(dice.between(leastMs, mostMs));
      const { place, foreman } = await fleet.pick(upMs);
      const { owner, pid } = foreman;
      progress(`kill ${kill} of ${kills}`);
      if (dice.chance(armedPercent)) {
        fleet.arm(foreman, dice.pick(MOMENTS));
        if (await comes(fleet, foreman)) armed++;
        else await foreman.kill9();
      } else await foreman.kill9();
      if (!isSupervised) fleet.places[place] = null;
      await foreman.died();
      await fleet.noteHeld(owner, fleet.killedAtMs(owner));
      if (isSupervised) await foreman.replaced(pid);
      else fleet.restart(place, dice.between(0, 500));
    }
    progress("draining");
    await fleet.allUp();
    const verdict = await fleet.judge({ resumeMs, isRescueFree: false }, 4 * leaseMs + 30_000);
    const figures = { ...figuresOf(verdict), killsAtMoments: armed };
    const breaches = [...verdict.breaches];
    // A supervisor may have taken back what its Foreman held before we looked.
    if (verdict.figures.heldAtKills + verdict.figures.rescued === 0)
      breaches.push(breach("a fault that bites", "no killed process held anything"));
    return { figures, breaches };
  });
}

/** Whether a process dies at the moment it was armed for, within our patience. */
async function comes(fleet: Fleet, foreman: ForemanProcess): Promise<boolean> {
  const giveUpAt = performance.now() + momentPatienceMs;
  while (fleet.isArmed(foreman)) {
    if (performance.now() > giveUpAt) return false;
    await pause(5);
  }
  return true;
}

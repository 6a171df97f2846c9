/**
 * Imports the user's module in a Worker and finds its App. All that can be wrong with it is said in one error.
 */
import { systemClock } from "../base/clock.js";
import { createError, isMillraceError } from "../base/errors.js";
import type { AppSeat, SeatedApp } from "./app-seat.js";

/**
 * Imports the module and returns its App: the one whose `start()` it calls, else its export `exportName`, else `app`,
 * else `default`, else the only App among its exports.
 *
 * Errors: MR_MODULE_FAILED with the reason; its cause is what the import threw.
 */
export async function loadModule(module: string, exportName: string | null, seat: AppSeat): Promise<SeatedApp> {
  let exported: Exported;
  try {
    const loaded: Promise<Exported> = import(module);
    // A module that awaits `app.start()` never ends: what stands below that line is the main thread's.
    const first = await Promise.race([seat.whenStarted.then((app) => ({ app })), loaded.then(() => null)]);
    if (first !== null) {
      // One that does not await it may still throw on the lines below.
      await Promise.race([loaded, new Promise<void>((resolve) => systemClock.immediate(resolve))]);
      return checked(module, first.app, seat);
    }
    exported = await loaded;
  } catch (error) {
    throw isMillraceError(error, "MR_MODULE_FAILED")
      ? error
      : createError("MR_MODULE_FAILED", { module, reason: reasonOf(error) }, { cause: error });
  }
  return pick(module, exported, exportName, seat);
}

type Exported = Readonly<Record<string, unknown>>;

function pick(module: string, exported: Exported, exportName: string | null, seat: AppSeat): SeatedApp {
  const failed = (reason: string) => createError("MR_MODULE_FAILED", { module, reason });
  if (exportName !== null) {
    const app = seat.appOf(exported[exportName]);
    if (app !== undefined) return checked(module, app, seat);
    const isThere = Object.hasOwn(exported, exportName);
    throw failed(isThere ? `its export \`${exportName}\` is no App` : `it has no export \`${exportName}\``);
  }
  const apps = new Map<SeatedApp, string>();
  // In this order, and each App once, by the first of its names.
  for (const name of ["app", "default", ...Object.keys(exported)]) {
    const app = seat.appOf(exported[name]);
    if (app !== undefined && !apps.has(app)) apps.set(app, name);
  }
  const fitting = [...apps].filter(([app]) => seat.isFor(app.id));
  const [first, ...others] = fitting;
  if (first === undefined) {
    for (const app of apps.keys()) return checked(module, app, seat);
    const made = seat.ids().length > 0 ? "it makes an App but does not export it" : "it makes no App";
    throw failed(`${made}: export the App as \`app\`, or call app.start() in the module`);
  }
  const [app, name] = first;
  if (others.length === 0 || name === "app" || name === "default") return app;
  const names = fitting.map(([, one]) => one).join(", ");
  throw failed(`it exports ${fitting.length} Apps (${names}): name the one to run \`app\``);
}

function checked(module: string, app: SeatedApp, seat: AppSeat): SeatedApp {
  if (seat.isFor(app.id)) return app;
  const reason = `its App is called ${app.id}, the Foreman's ${seat.options.appId ?? ""}: both must have the same id`;
  throw createError("MR_MODULE_FAILED", { module, reason });
}

function reasonOf(error: unknown): string {
  if (error instanceof Error) return `importing it threw ${error.name}: ${error.message}`;
  return "importing it threw something that is no error";
}

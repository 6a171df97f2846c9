/** Opens a store by its URL, as an App would, for programs that work at the level of transitions. */
import { makeStore, type Store, silentLogger, systemClock, systemRandom } from "@millrace/core/internal";

/** Makes and opens the store a URL, or a list of URLs, names. */
export async function openStore(url: string | readonly string[], app: string): Promise<Store> {
  const store = await makeStore({
    url,
    app,
    durability: undefined,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  await store.open();
  return store;
}

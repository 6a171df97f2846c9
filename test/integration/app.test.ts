/** Every sentence of the App suite, on every store. */
import { everyPlace } from "../helper/places.js";
import { appSuite } from "./app.suite.js";

const places = everyPlace("app");
for (const place of places) appSuite(place.name, place);
const embedded = places.find(({ name }) => name === "embedded");
if (embedded !== undefined) {
  const fresh = async () => ({ ...(await embedded.fresh()), durability: "flushed" as const });
  appSuite("embedded, flushed", { ...embedded, fresh });
}

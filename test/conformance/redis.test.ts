/** The contract on Redis: by functions, and by scripts for servers that refuse functions. */
import { openTestRedis } from "../helper/redis.js";
import { redisUnderTest } from "../helper/redis-under-test.js";
import { storeSuite } from "./store.suite.js";

for (const scripting of ["functions", "scripts"] as const) {
  storeSuite(`the Redis store, by ${scripting}`, async () => {
    const redis = await openTestRedis();
    const sut = await redisUnderTest({ url: redis.url, app: redis.app, client: redis.client, scripting });
    return {
      ...sut,
      close: async () => {
        await sut.close();
        await redis.close();
      },
    };
  });
}

/** What a sealing Store lets through to the store behind it. That no method with bytes is forgotten, the compiler says. */
import { describe, expect, it } from "vitest";
import { silentLogger } from "../base/log.js";
import { Sealer } from "../base/seal.js";
import { encodeEnvelope } from "../engine/envelope.js";
import { encodeOutcome } from "../engine/outcome.js";
import type { Store } from "../engine/store.js";
import type { AnnounceParams, Claim, CompleteParams, EnqueueParams } from "../engine/transitions.js";
import { payloadStore } from "./payload-store.js";

const laneName = "w.01";
const clear = encodeEnvelope("pay", 1, null, "canary-4711");

function setUp() {
  const enqueued: Uint8Array[] = [];
  const announced: AnnounceParams[] = [];
  const completed: Uint8Array[] = [];
  const claimOf = (body: Uint8Array): Claim => {
    const held = { lane: 1, laneName, counter: 1, token: 9 };
    return { ...held, queue: "q", priority: 0, attempt: 1, generation: 1, recoveries: 0, body };
  };
  const inner = {
    enqueue: (_segment: string, { bodies }: EnqueueParams) => {
      enqueued.push(...bodies);
      return Promise.resolve({ answer: "ok", accepted: 1, fresh: 1 });
    },
    claim: () => Promise.resolve({ answer: "ok", claims: enqueued.map(claimOf), waiting: 0 }),
    complete: (_segment: string, { values }: CompleteParams) => {
      completed.push(...values);
      return Promise.resolve({ answers: ["ok"] });
    },
    announce: (_segment: string, params: AnnounceParams) => {
      announced.push(params);
      return Promise.resolve({ answers: params.elements.map(() => "recovered") });
    },
  } as unknown as Store; // the calls made here
  const sealerOf = (name: string, byte: number) =>
    new Sealer({ keys: [{ name, secret: Buffer.alloc(32, byte) }], compressFrom: null });
  const before = (sealer: Sealer) => payloadStore({ store: inner, sealer, app: "shop", log: silentLogger });
  return { store: before(sealerOf("a", 1)), stranger: before(sealerOf("b", 2)), enqueued, announced, completed };
}

async function putBack(store: Store): Promise<void> {
  const { claims } = await store.claim("n1", { owner: "o", request: 1, queues: ["q"], max: 1 });
  const elements = claims.map((claim) => ({ laneName, counter: claim.counter, token: claim.token, again: claim }));
  await store.announce("n1", { owner: "o", elements });
}

describe("X28: a Store with keys", () => {
  it("X28: what a failover took back is put back with the very bytes that were enqueued, never in clear", async () => {
    const { store, enqueued, announced } = setUp();
    await store.enqueue("n1", { lane: 1, laneName, first: 1, bodies: [clear] });
    expect(Buffer.from(enqueued[0] ?? clear).includes("canary")).toBe(false);
    await putBack(store);
    expect(announced[0]?.elements[0]?.again?.body).toEqual(enqueued[0]);
  });

  it("X28: what cannot be opened is put back as it is, not sealed twice", async () => {
    const { store, stranger, enqueued, announced } = setUp();
    await store.enqueue("n1", { lane: 1, laneName, first: 1, bodies: [clear] });
    await putBack(stranger);
    expect(announced[0]?.elements[0]?.again?.body).toEqual(enqueued[0]);
  });

  it("X28: who ends an Operation names its lane: nothing is remembered of claims", async () => {
    const { store, completed } = setUp();
    const value = encodeOutcome("pay", 1, 1, "canary-4711", "result");
    const held = [{ lane: 1, laneName, counter: 1, token: 9 }];
    await store.complete("n1", { owner: "o", retainMs: 1_000, held, values: [value] });
    expect(completed).toHaveLength(1);
    expect(Buffer.from(completed[0] ?? value).includes("canary")).toBe(false);
  });

  it("X28: what is only asked about carries nothing", async () => {
    const { store, announced } = setUp();
    await store.announce("n1", { owner: "o", elements: [{ laneName, counter: 1, token: 9, again: null }] });
    expect(announced[0]?.elements[0]?.again).toBeNull();
  });
});

/** A process Worker at its IPC channel: the same records as a thread's, one Operation at a time. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  CallDesk,
  decode,
  decodeOutcome,
  encode,
  encodeEnvelope,
  PROCESS_ENTRY,
  type ProcessBoot,
  type ProcessUpMessage,
} from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { poll, within } from "../helper/wait.js";
import { moduleUrl } from "./fake-foreman.js";
import { FakeServices } from "./services.js";

/** The Foreman's end of one process. */
class FakeParent implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly messages: ProcessUpMessage[] = [];
  readonly records: Buffer[] = [];
  readonly services = new FakeServices();
  readonly exited: Promise<number | null>;
  readonly #desk = new CallDesk(this.services);
  readonly #asker = {
    answer: (how: number, request: number, value: Uint8Array) => {
      const record = Buffer.alloc(8 + value.length);
      record[0] = 4;
      record[1] = how;
      record.writeInt32LE(request, 4);
      record.set(value, 8);
      this.send(record);
    },
    publish: () => undefined,
  };

  constructor(module: string) {
    this.child = fork(fileURLToPath(PROCESS_ENTRY), { serialization: "advanced" });
    this.exited = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.on("message", (message) => this.#hear(message as ProcessUpMessage));
    const options = {
      appId: "test",
      nodeId: "node",
      durability: { level: "memory", isChecked: true, best: "memory", replicates: false },
      isDebug: false,
    } as const;
    const boot: ProcessBoot = { module: moduleUrl(module), exportName: null, id: "process-1", options };
    this.child.send({ type: "boot", boot, parentPid: process.pid });
    this.send(text(0, "node"), text(1, "incarnation.01"));
  }

  send(...records: Buffer[]): void {
    this.child.send({ type: "records", records });
  }

  give(step: string, input: unknown, seat = 0): void {
    this.send(run(seat, encodeEnvelope(step, Date.now(), null, input)));
  }

  async until<Type extends ProcessUpMessage["type"]>(type: Type): Promise<Extract<ProcessUpMessage, { type: Type }>> {
    const find = () => this.messages.find((message) => message.type === type) ?? null;
    return (await poll(find, `a message of type ${type}`)) as Extract<ProcessUpMessage, { type: Type }>;
  }

  /** The next outcome: kind, result or error. */
  async outcome(): Promise<{ kind: number; value: unknown }> {
    const record = await poll(() => this.records.shift() ?? null, "an outcome");
    const kind = record[0] ?? 0;
    if (kind === 3) return { kind, value: null };
    return { kind, value: decode(decodeOutcome(record.subarray(kind === 1 ? 8 : 16)).value) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await within(this.exited, "the end of the process");
  }

  #hear(message: ProcessUpMessage): void {
    if (message.type !== "records") return void this.messages.push(message);
    for (const bytes of message.records) {
      const record = Buffer.from(bytes);
      if ((record[0] ?? 0) >= 5) this.#desk.take(this.#asker, record, 0, record.length);
      else this.records.push(record);
    }
  }
}

function text(id: number, name: string): Buffer {
  const record = Buffer.alloc(8 + name.length);
  record[0] = 1;
  record.writeInt32LE(id, 4);
  record.write(name, 8, "latin1");
  return record;
}

function run(seat: number, body: Uint8Array): Buffer {
  const record = Buffer.alloc(40 + body.length);
  record[0] = 2;
  record.writeInt32LE(seat, 4);
  record.writeDoubleLE(77, 8);
  record.writeDoubleLE(1, 16);
  record.writeInt32LE(1, 24);
  record.writeInt32LE(1, 36);
  record.set(body, 40);
  return record;
}

function short(kind: number, small: number, value: number): Buffer {
  const record = Buffer.alloc(8);
  record[0] = kind;
  record[1] = small;
  record.writeInt32LE(value, 4);
  return record;
}

describe("a process Worker", () => {
  it("runs Operations in a process of its own, and ends with code 0 when told to stop", async () => {
    await using parent = new FakeParent("steps");
    const { manifest } = await parent.until("ready");
    expect(manifest.steps.find(({ name }) => name === "forked")).toMatchObject({
      executor: "process",
      queue: "process",
    });
    parent.give("forked", { big: new Uint8Array(2 ** 20) });
    expect(await parent.outcome()).toMatchObject({ kind: 1, value: { pid: parent.child.pid } });
    parent.give("fail", "no");
    expect(await parent.outcome()).toMatchObject({ kind: 2, value: { name: "TypeError", message: "no" } });
    parent.give("unknown-step", null);
    expect(await parent.outcome()).toMatchObject({ kind: 3 });
    parent.give("log", null);
    expect(await parent.until("log")).toMatchObject({ level: "warn" });
    parent.give("sleep", 50);
    parent.send(short(6, 0, 0));
    expect(await within(parent.exited, "the end")).toBe(0);
    expect(parent.records.length).toBe(2);
  });

  it("gives its Steps the whole App", async () => {
    await using parent = new FakeParent("seated");
    await parent.until("ready");
    parent.give("enqueue", 1);
    expect(await parent.outcome()).toMatchObject({ kind: 1, value: "segment.lane.101" });
    parent.services.accepted = (key, counter) => {
      void poll(() => parent.services.waits.get(key) ?? null, "a wait").then((waits) => {
        const value = Buffer.concat([Buffer.alloc(11), encode(counter)]);
        for (const waiter of waits) waiter.settled({ state: "completed", attempt: 1, value });
      });
    };
    parent.give("run", 2);
    expect(await parent.outcome()).toMatchObject({ kind: 1, value: 2 });
  });

  it("is told to end an Attempt, and says when a handler goes on all the same", async () => {
    await using parent = new FakeParent("steps");
    await parent.until("ready");
    parent.give("until-aborted", null);
    parent.send(short(3, 1, 0));
    expect(await parent.outcome()).toMatchObject({ kind: 2, value: { code: "MR_OPERATION_CANCELLED" } });
    parent.give("deaf", 60_000);
    parent.send(short(3, 3, 0));
    expect(await parent.outcome()).toMatchObject({ kind: 3 });
    expect(parent.messages.some((message) => message.type === "beat" && message.isDirty)).toBe(true);
  });

  it("says why the module cannot be run, and ends with code 1", async () => {
    await using parent = new FakeParent("no-app");
    expect(await parent.until("failed")).toMatchObject({ error: { code: "MR_MODULE_FAILED" } });
    expect(await within(parent.exited, "the end")).toBe(1);
  });

  it("ends with code 1 and a log line when something is thrown that belongs to no Attempt", async () => {
    await using parent = new FakeParent("steps");
    await parent.until("ready");
    parent.give("throw-later", null);
    expect(await within(parent.exited, "the end")).toBe(1);
    expect(await parent.until("log")).toMatchObject({
      level: "error",
      fields: { error: { message: "thrown by a timer" } },
    });
  });

  it("ends when its Foreman is gone", async () => {
    await using parent = new FakeParent("steps");
    await parent.until("ready");
    parent.give("sleep", 60_000);
    parent.child.disconnect();
    expect(await within(parent.exited, "the end")).toBe(1);
  });
});

import assert from "node:assert/strict";
import { followEvents } from "../../src/cli/event_stream.ts";
import { LeaderError } from "../../src/cli/leader_api.ts";
import type { Clock } from "../../src/core/clock.ts";
import { UnreachableError } from "../../src/core/errors.ts";
import type { StreamItem } from "../../src/session/events.ts";
import { finishedRun, SESSION } from "../fixtures/recorded_run.ts";
import { progress } from "./following.ts";

const ALL = finishedRun.map(({ seq }) => seq);

Deno.test("followEvents() goes on after the last entry it has seen when a stream breaks", async () => {
  const leader = new ScriptedLeader([sse(0, 5), "break"], [sse(5, 9)], [sse(9)]);
  const { seqs, connections } = await follow(leader);
  assert.deepEqual(seqs, ALL);
  assert.deepEqual(leader.asked, [0, 5, 9]);
  assert.deepEqual(connections, [false, true, false, true]);
});

Deno.test("followEvents() gives each entry once, also if the leader repeats some", async () => {
  const leader = new ScriptedLeader([sse(0, 6)], [sse(2)]);
  assert.deepEqual((await follow(leader)).seqs, ALL);
});

Deno.test("followEvents() takes messages in whatever pieces they arrive", async () => {
  const characters = [...sse(0)];
  const { seqs } = await follow(new ScriptedLeader(characters));
  assert.deepEqual(seqs, ALL);
});

Deno.test("followEvents() forgets half an entry that a broken stream left", async () => {
  const half = sse(5, 6).slice(0, -20);
  const leader = new ScriptedLeader([sse(0, 5) + half, "break"], [sse(5)]);
  assert.deepEqual((await follow(leader)).seqs, ALL);
});

Deno.test("followEvents() passes notes on, and skips comments", async () => {
  const note = progress(1, 3, 0.5);
  const text = `: heartbeat\n\nevent: note\ndata: ${JSON.stringify(note)}\n\n`;
  const { items } = await follow(new ScriptedLeader([text, sse(0)]));
  assert.deepEqual(items[0], { kind: "note", note });
});

Deno.test("followEvents() throws at once when nothing answers at the start", async () => {
  const leader = new ScriptedLeader(new UnreachableError("away"));
  await assert.rejects(follow(leader), { name: "UnreachableError", message: "away" });
});

Deno.test("followEvents() waits from the start for a leader that has answered just before", async () => {
  const leader = new ScriptedLeader(new UnreachableError("killed"), [sse(0)]);
  assert.deepEqual((await follow(leader, [], undefined, undefined, true)).seqs, ALL);
});

Deno.test("followEvents() waits longer from try to try, and gives up after five minutes", async () => {
  const away = Array.from({ length: 200 }, () => new UnreachableError("away"));
  const leader = new ScriptedLeader([sse(0, 5)], ...away);
  const pauses: number[] = [];
  await assert.rejects(follow(leader, pauses), {
    name: "UnreachableError",
    message: new RegExp(`has not answered for 30\\d s: see "flotilla logs ${SESSION}" later`),
  });
  assert.deepEqual(pauses.slice(0, 6), [200, 400, 800, 1600, 3000, 3000]);
});

Deno.test("followEvents() tries again while the leader starts, not if it knows no such run", async () => {
  const starting = new LeaderError("not ready", 503);
  const leader = new ScriptedLeader([sse(0, 5)], starting, [sse(5)]);
  assert.deepEqual((await follow(leader)).seqs, ALL);
  const forgotten = new ScriptedLeader([sse(0, 5)], new LeaderError("unknown", 404));
  await assert.rejects(follow(forgotten), { name: "LeaderError", message: "unknown" });
});

Deno.test("followEvents() ends with the signal's reason while it waits", async () => {
  const stop = new AbortController();
  const leader = new ScriptedLeader([sse(0, 2)]);
  const onPause = () => stop.abort(new Error("enough"));
  await assert.rejects(follow(leader, [], stop.signal, onPause), { message: "enough" });
});

/** Answers each opening with the next script: pieces of text (or a break), or an error. */
class ScriptedLeader {
  readonly endpoint = "localhost:12345";
  readonly asked: number[] = [];
  readonly #scripts: (readonly string[] | Error)[];

  constructor(...scripts: readonly (readonly string[] | Error)[]) {
    this.#scripts = [...scripts];
  }

  openEvents(_id: string, afterSeq: number): Promise<ReadableStream<Uint8Array>> {
    const script = this.#scripts.shift();
    assert.ok(script !== undefined, "opened more often than expected");
    if (script instanceof Error) return Promise.reject(script);
    this.asked.push(afterSeq);
    const pieces = script.map((text) => text === "break" ? null : new TextEncoder().encode(text));
    return Promise.resolve(ReadableStream.from(breaking(pieces)));
  }
}

async function* breaking(pieces: readonly (Uint8Array | null)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece === null) throw new TypeError("connection reset");
    yield await Promise.resolve(piece);
  }
}

/** Entries after `from` up to `to` as server-sent events. */
function sse(from: number, to = Infinity): string {
  return finishedRun.filter(({ seq }) => seq > from && seq <= to)
    .map((entry) =>
      `id: ${entry.seq}\nevent: ${entry.event.type}\ndata: ${JSON.stringify(entry)}\n\n`
    )
    .join("");
}

async function follow(
  leader: ScriptedLeader,
  pauses: number[] = [],
  signal: AbortSignal = new AbortController().signal,
  onPause: () => void = () => {},
  hasAnswered = false,
) {
  let now = 0;
  const clock: Clock = {
    epochMs: () => now,
    monotonicMs: () => now,
    sleep(ms) {
      now += ms;
      pauses.push(ms);
      onPause();
      return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve();
    },
  };
  const items: StreamItem[] = [];
  const connections: boolean[] = [];
  const onConnection = (connected: boolean) => void connections.push(connected);
  const options = { clock, signal, onConnection, hasAnswered };
  for await (const item of followEvents(leader, SESSION, options)) {
    items.push(item);
  }
  const seqs = items.flatMap((item) => item.kind === "event" ? [item.entry.seq] : []);
  return { items, seqs, connections };
}

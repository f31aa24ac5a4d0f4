import assert from "node:assert/strict";
import type { ClientAdvert } from "../../src/discovery/discovery.ts";
import { createLogger, type LogRecord } from "../../src/log/log.ts";
import type { ClientLink } from "../../src/rpc/transport.ts";
import { Directory } from "../../src/server/directory.ts";
import { clientAdvert } from "../fixtures/adverts.ts";
import { countedSignal } from "../fixtures/counted_signal.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";

const SILENT_MS = 17_000;
const forever = new AbortController().signal;

/** A directory with what it does to the outside. */
function open() {
  const clock = new VirtualClock();
  const records: LogRecord[] = [];
  const links: { client: string; sync: string; async: string; open: boolean }[] = [];
  let adverts = 0;
  /** Clients that answer when they are asked whether they are there. */
  const answering = new Set<string>();
  const directory = new Directory({
    clock,
    logger: createLogger((record) => records.push(record), "debug", () => clock.epochMs()),
    connect(client, { sync, async: async_ }) {
      const link = { client, sync, async: async_, open: true };
      links.push(link);
      const dialled: Pick<ClientLink, "echo" | "close"> = {
        echo: () =>
          answering.has(client) ? Promise.resolve("Ack") : Promise.reject(new Error("no")),
        close: () => link.open = false,
      };
      return dialled as ClientLink;
    },
    isSilent: (ms) => ms >= SILENT_MS,
    readvertise: () => adverts++,
  });
  return {
    clock,
    directory,
    links,
    answering,
    adverts: () => adverts,
    messages: () => records.map(({ message }) => message),
    register: (client: string, changes: Partial<ClientAdvert> = {}) =>
      directory.hear({ kind: "advert", client, advert: clientAdvert(changes) }),
    heartbeat: (client: string) => directory.hear({ kind: "heartbeat", client, timestamp: 0 }),
    /** Resolves when the directory has asked the client and believes it or the broker. */
    async lose(client: string) {
      directory.hear({ kind: "lost", client });
      await new Promise((resolve) => setTimeout(resolve));
    },
    states: () => directory.views().map(({ id, state }) => `${id} ${state}`),
  };
}

/** Datasets of a client with this many items of one. */
function items(name: string, num_items: number): ClientAdvert["datasets"] {
  return { [name]: { dataset_details: {}, metadata: { num_items } } };
}

Deno.test("Directory.hear() registers an advert with all that users and sessions ask for", () => {
  const { directory, register, clock, messages } = open();
  clock.advance(1000);
  register("u1", { models: { MLP: "ab" } });
  const advert = clientAdvert();
  assert.deepEqual(directory.views(), [{
    id: "u1",
    name: "workstation_1",
    endpoint: "127.0.0.1:50053",
    state: "active",
    lastHeartbeat: Date.UTC(2026, 0, 1) + 1000,
    datasets: { MNIST: 6000 },
    hardware: advert.hw_info,
    models: { MLP: "ab" },
  }]);
  assert.deepEqual(directory.holding("MNIST"), [{
    id: "u1",
    name: "workstation_1",
    samples: 6000,
    labelDistribution: { "0": 0.25, "1": 0.75 },
  }]);
  assert.deepEqual(messages(), ["workstation_1 is here at 127.0.0.1:50053 (datasets: MNIST)"]);
});

Deno.test("Directory.hear() takes a second advert as news only if the client was away or moved", async () => {
  const { register, lose, messages } = open();
  register("u1");
  register("u1", { models: { MLP: "ab" } });
  assert.equal(messages().length, 1);
  register("u1", { grpc_ep: "127.0.0.1:50060" });
  assert.equal(messages().length, 2);
  await lose("u1");
  register("u1", { grpc_ep: "127.0.0.1:50060" });
  assert.equal(messages().at(-1), "workstation_1 is here at 127.0.0.1:50060 (datasets: MNIST)");
  assert.equal(messages().length, 4);
});

Deno.test("Directory.holding() lists active holders of a dataset by name, numbers by value", async () => {
  const { directory, register, lose } = open();
  for (const n of [10, 2, 1]) register(`u${n}`, { name: `w_${n}`, datasets: items("D", n) });
  register("other", { name: "w_0", datasets: items("E", 1) });
  register("gone", { name: "w_3", datasets: items("D", 1) });
  await lose("gone");
  assert.deepEqual(
    directory.holding("D").map(({ name, samples, labelDistribution }) => {
      return [name, samples, labelDistribution];
    }),
    [["w_1", 1, null], ["w_2", 2, null], ["w_10", 10, null]],
  );
  assert.equal(directory.activeCount(), 4);
  for (const name of ["F", "constructor", "__proto__", "toString"]) {
    assert.deepEqual(directory.holding(name), [], name);
  }
});

Deno.test("Directory.checkSilence() marks a client inactive at the limit and not before", async () => {
  const { directory, register, heartbeat, clock, states, messages } = open();
  register("u1");
  clock.advance(10_000);
  heartbeat("u1");
  clock.advance(SILENT_MS - 1);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 active"]);
  clock.advance(1);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 inactive"]);
  assert.equal(messages().at(-1), "workstation_1 is inactive: no heartbeat for 17 s");
  await directory.checkSilence();
  assert.equal(messages().length, 2);
  assert.deepEqual([directory.holding("MNIST"), directory.activeCount()], [[], 0]);
});

Deno.test("Directory.checkSilence() leaves a client alone that trains, and its silence behind", async () => {
  const { directory, register, clock, states } = open();
  register("u1");
  directory.setTraining("u1", true);
  assert.deepEqual(states(), ["u1 training"]);
  clock.advance(10 * SILENT_MS);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 training"]);
  directory.setTraining("u1", false);
  clock.advance(SILENT_MS - 1);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 active"]);
  clock.advance(1);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 inactive"]);
});

Deno.test("Directory.checkSilence() keeps a client that answers although its heartbeats are lost", async () => {
  const { directory, register, answering, clock, states } = open();
  register("u1");
  answering.add("u1");
  clock.advance(SILENT_MS);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 active"]);
  answering.delete("u1");
  clock.advance(SILENT_MS - 1);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 active"]);
  clock.advance(1);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 inactive"]);
});

Deno.test("Directory.forgiveSilence() restarts everybody's patience", async () => {
  const { directory, register, clock, states } = open();
  register("u1");
  clock.advance(SILENT_MS);
  directory.forgiveSilence();
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 active"]);
  clock.advance(SILENT_MS);
  await directory.checkSilence();
  assert.deepEqual(states(), ["u1 inactive"]);
});

Deno.test("Directory.hear() does not believe the broker that a client is lost which answers", async () => {
  const { register, lose, answering, states, messages } = open();
  register("u1");
  answering.add("u1");
  await lose("u1");
  assert.deepEqual(states(), ["u1 active"]);
  answering.delete("u1");
  await lose("u1");
  assert.deepEqual(states(), ["u1 lost"]);
  assert.equal(messages().length, 2);
});

Deno.test("Directory.hear() keeps a client that is back before it was found lost", async () => {
  const { register, lose, states } = open();
  register("u1");
  const lost = lose("u1");
  register("u1", { models: { MLP: "ab" } });
  await lost;
  assert.deepEqual(states(), ["u1 active"]);
});

Deno.test("Directory.link() dials a client anew that was away, but not while it trains", async () => {
  const { directory, register, lose, links } = open();
  register("u1");
  directory.link("u1");
  await lose("u1");
  register("u1");
  directory.link("u1");
  assert.deepEqual(links.map(({ open }) => open), [false, true]);
  directory.setTraining("u1", true);
  await lose("u1");
  register("u1");
  directory.link("u1");
  assert.deepEqual(links.map(({ open }) => open), [false, true]);
});

Deno.test("Directory.hear() marks a client lost once, and nobody who is unknown", async () => {
  const { register, lose, states, messages } = open();
  await lose("nobody");
  register("u1");
  await lose("u1");
  await lose("u1");
  assert.deepEqual(states(), ["u1 lost"]);
  assert.deepEqual(messages().slice(1), ["workstation_1 is gone"]);
});

Deno.test("Directory.hear() advertises again at heartbeats of those that do not count as there", async () => {
  const { directory, register, heartbeat, lose, adverts, clock, states } = open();
  heartbeat("unknown");
  assert.equal(adverts(), 1);
  register("u1");
  clock.advance(2000);
  heartbeat("u1");
  assert.equal(adverts(), 1, "an active client is known");
  await lose("u1");
  heartbeat("u1");
  assert.equal(adverts(), 2);
  assert.deepEqual(states(), ["u1 lost"], "only an advert brings it back");
  register("u1");
  clock.advance(SILENT_MS);
  await directory.checkSilence();
  heartbeat("u1");
  assert.equal(adverts(), 3);
});

Deno.test("Directory.hear() advertises again at most once a second, however many beat", () => {
  const { heartbeat, adverts, clock } = open();
  for (let i = 0; i < 1000; i++) heartbeat(`u${i}`);
  assert.equal(adverts(), 1);
  clock.advance(999);
  heartbeat("u1");
  assert.equal(adverts(), 1);
  clock.advance(1);
  heartbeat("u1");
  heartbeat("u2");
  assert.equal(adverts(), 2);
});

Deno.test("Directory.link() opens one link to a client, and another once it has moved", () => {
  const { directory, register, links } = open();
  register("u1");
  const link = directory.link("u1");
  assert.equal(directory.link("u1"), link);
  register("u1", { models: { MLP: "ab" } });
  assert.equal(directory.link("u1"), link);
  register("u1", { grpc_async_ep: "127.0.0.1:50061" });
  assert.notEqual(directory.link("u1"), link);
  assert.deepEqual(links, [
    { client: "u1", sync: "127.0.0.1:50053", async: "127.0.0.1:50054", open: false },
    { client: "u1", sync: "127.0.0.1:50053", async: "127.0.0.1:50061", open: true },
  ]);
  directory.close();
  assert.deepEqual(links.map(({ open }) => open), [false, false]);
});

Deno.test("Directory.link() dials the one port of a client that advertises one", () => {
  const { directory, links } = open();
  const { grpc_async_ep: _, ...advert } = clientAdvert();
  directory.hear({ kind: "advert", client: "u1", advert });
  directory.link("u1");
  assert.deepEqual([links[0]!.sync, links[0]!.async], ["127.0.0.1:50053", "127.0.0.1:50053"]);
});

Deno.test("Directory.link() refuses a client that it does not know", () => {
  assert.throws(() => open().directory.link("u1"), {
    name: "RpcError",
    failure: "unavailable",
    message: "The client u1 is not in the directory",
  });
});

Deno.test("Directory.hear() keeps a client training that advertises anew meanwhile", () => {
  const { directory, register, states } = open();
  register("u1");
  directory.setTraining("u1", true);
  register("u1", { models: { MLP: "ab" } });
  assert.deepEqual(states(), ["u1 training"]);
  directory.setTraining("unknown", true);
  assert.deepEqual(states(), ["u1 training"]);
});

Deno.test("Directory.nextChange() resolves at each kind of change, for all who wait", async () => {
  const { directory, register, lose, clock } = open();
  const changes = [
    () => register("u1"),
    () => directory.setTraining("u1", true),
    () => directory.setTraining("u1", false),
    () => lose("u1"),
    () => register("u1"),
    () => {
      clock.advance(SILENT_MS);
      void directory.checkSilence();
    },
  ];
  for (const change of changes) {
    const both = [directory.nextChange(forever), directory.nextChange(forever)];
    change();
    assert.deepEqual(await Promise.all(both), [undefined, undefined]);
  }
});

Deno.test("Directory.nextChange() rejects with the signal's reason and leaves no listener", async () => {
  const { directory, register } = open();
  const { controller, signal, listeners } = countedSignal();
  const changed = directory.nextChange(signal);
  register("u1");
  await changed;
  assert.equal(listeners(), 0);
  const waiting = directory.nextChange(signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(directory.nextChange(signal), reason);
  assert.equal(listeners(), 0);
});

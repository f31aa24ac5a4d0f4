import assert from "node:assert/strict";
import { Presence } from "../../src/client/presence.ts";
import type { ClientMessage } from "../../src/discovery/discovery.ts";
import { InProcessBus } from "../../src/discovery/in_process.ts";
import { silentLogger } from "../../src/log/log.ts";
import { clientAdvert, leaderAdvert } from "../fixtures/adverts.ts";
import { Collected } from "../fixtures/collected.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";

/** A leader that hears and a client that keeps itself known. */
function meet() {
  const bus = new InProcessBus();
  const clock = new VirtualClock();
  const leader = bus.leader();
  const heard = new Collected<ClientMessage>();
  leader.onMessage(heard.add);
  const models: Record<string, string> = {};
  const join = () =>
    new Presence(bus.client("u1"), clock, silentLogger, () => {
      const { timestamp: _, ...introduction } = clientAdvert({ models: { ...models } });
      return introduction;
    });
  return { clock, leader, heard, models, join };
}

const isAdvert = ({ kind }: ClientMessage) => kind === "advert";
const isHeartbeat = ({ kind }: ClientMessage) => kind === "heartbeat";

Deno.test("Presence answers a leader's advert whichever of the two came first", async () => {
  for (const clientFirst of [true, false]) {
    const { leader, heard, join, clock } = meet();
    let presence = clientFirst ? join() : null;
    leader.advertise(leaderAdvert());
    presence ??= join();
    const message = await heard.first("an introduction", isAdvert);
    assert.deepEqual(message, {
      kind: "advert",
      client: "u1",
      advert: clientAdvert({ timestamp: clock.epochMs() / 1000 }),
    });
    await presence.close();
  }
});

Deno.test("Presence answers every advert, and only on the topic that the leader names", async () => {
  const { leader, heard, join } = meet();
  const presence = join();
  for (let n = 1; n <= 3; n++) {
    const from = heard.length;
    leader.advertise(leaderAdvert({ timestamp: n }));
    await heard.first(`answer ${n}`, isAdvert, { from });
  }
  leader.advertise(leaderAdvert({ mqtt_client_topic: "elsewhere" }));
  await presence.close();
  await heard.first("the goodbye", ({ kind }) => kind === "lost");
  assert.equal(heard.items.filter(isAdvert).length, 3);
});

Deno.test("Presence beats at once and then once an interval, however many adverts come", async () => {
  const { leader, heard, join, clock } = meet();
  const presence = join();
  for (let n = 0; n < 3; n++) leader.advertise(leaderAdvert({ heartbeat_interval: 5 }));
  const first = await heard.first("the first heartbeat", isHeartbeat);
  assert.deepEqual(first, { kind: "heartbeat", client: "u1", timestamp: clock.epochMs() / 1000 });
  for (let n = 0; n < 3; n++) {
    const from = heard.length;
    await clock.someoneSleeps();
    clock.advance(4999);
    clock.advance(1);
    const beat = await heard.first("a heartbeat", isHeartbeat, { from });
    assert.deepEqual(beat, { kind: "heartbeat", client: "u1", timestamp: clock.epochMs() / 1000 });
  }
  assert.equal(heard.items.filter(isHeartbeat).length, 4);
  await presence.close();
});

Deno.test("Presence takes a changed interval from the next wait on", async () => {
  const { leader, heard, join, clock } = meet();
  const presence = join();
  leader.advertise(leaderAdvert({ heartbeat_interval: 5 }));
  await heard.first("the first heartbeat", isHeartbeat);
  await clock.someoneSleeps();
  const from = heard.length;
  leader.advertise(leaderAdvert({ heartbeat_interval: 60 }));
  await heard.first("the second answer", isAdvert, { from });
  clock.advance(5000);
  await heard.first("the second heartbeat", isHeartbeat, { from });
  await clock.someoneSleeps();
  clock.advance(59_999);
  presence.refresh();
  await heard.first("an answer instead of a heartbeat", isAdvert, { from: from + 2 });
  assert.equal(heard.items.filter(isHeartbeat).length, 2);
  clock.advance(1);
  await heard.first("the third heartbeat", isHeartbeat, { from: from + 3 });
  await presence.close();
});

Deno.test("Presence.refresh() introduces the client as it is now, once there is a leader", async () => {
  const { leader, heard, models, join, clock } = meet();
  const presence = join();
  presence.refresh();
  leader.advertise(leaderAdvert());
  await heard.first("the first introduction", isAdvert);
  const from = heard.length;
  models["MLP"] = "ab";
  clock.advance(1000);
  presence.refresh();
  assert.deepEqual(await heard.first("the second introduction", isAdvert, { from }), {
    kind: "advert",
    client: "u1",
    advert: clientAdvert({ models: { MLP: "ab" }, timestamp: clock.epochMs() / 1000 }),
  });
  assert.equal(heard.items.filter(isAdvert).length, 2);
  await presence.close();
});

Deno.test("Presence.close() says goodbye and is silent from then on", async () => {
  const { leader, heard, join, clock } = meet();
  const presence = join();
  leader.advertise(leaderAdvert());
  await heard.first("a heartbeat", isHeartbeat);
  await presence.close();
  await heard.first("the goodbye", ({ kind }) => kind === "lost");
  const before = heard.length;
  clock.advance(60_000);
  presence.refresh();
  leader.advertise(leaderAdvert());
  // A message on the bus would arrive in a turn before this one.
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(heard.length, before);
});

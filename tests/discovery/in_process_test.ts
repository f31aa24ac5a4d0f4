import assert from "node:assert/strict";
import { InProcessBus } from "../../src/discovery/in_process.ts";
import { discoverySuite } from "../contract/discovery_suite.ts";
import { clientAdvert, leaderAdvert } from "../fixtures/adverts.ts";
import { Collected } from "../fixtures/collected.ts";

discoverySuite("in-process", () => {
  const bus = new InProcessBus();
  return Promise.resolve({
    leader: () => Promise.resolve(bus.leader()),
    client: (id: string) => {
      const client = bus.client(id);
      return Promise.resolve({ discovery: client, crash: () => client.crash() });
    },
    close: () => Promise.resolve(),
  });
});

Deno.test("InProcessBus delivers a message only after the call that sent it", async () => {
  const bus = new InProcessBus();
  const client = bus.client("a");
  const adverts = new Collected<unknown>();
  client.onLeader(adverts.add);
  bus.leader().advertise(leaderAdvert());
  assert.equal(adverts.length, 0);
  await adverts.first("the advert");
});

Deno.test("InProcessBus drops answers on a topic that leaders do not hear", async () => {
  const bus = new InProcessBus("answers");
  const heard = new Collected<{ kind: string }>();
  bus.leader().onMessage(heard.add);
  const client = bus.client("a");
  client.announce(clientAdvert(), "elsewhere");
  client.heartbeat(1);
  await heard.first("the heartbeat");
  assert.deepEqual(heard.items.map(({ kind }) => kind), ["heartbeat"]);
});

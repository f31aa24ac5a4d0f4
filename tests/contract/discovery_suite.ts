/** What every kind of discovery must do; each variant brings a world in which to do it. */
import assert from "node:assert/strict";
import type { ClientId } from "../../src/core/ids.ts";
import type {
  ClientDiscovery,
  ClientMessage,
  LeaderAdvert,
  LeaderDiscovery,
} from "../../src/discovery/discovery.ts";
import { clientAdvert, leaderAdvert } from "../fixtures/adverts.ts";
import { Collected } from "../fixtures/collected.ts";

/** A client whose connection a test can break. */
export interface BreakableClient {
  readonly discovery: ClientDiscovery;
  /** Its connection breaks at once and for ever, without a goodbye. */
  crash(): void;
}

/** One broker, or what stands for it, and those who join it. */
export interface DiscoveryWorld {
  leader(): Promise<LeaderDiscovery>;
  client(id: ClientId): Promise<BreakableClient>;
  /** Disconnects all that joined and ends the broker. */
  close(): Promise<void>;
}

const A = "0a0a0a0a-0000-4000-8000-000000000001";
const B = "0b0b0b0b-0000-4000-8000-000000000002";

/** Registers the suite's tests under the variant's name. */
export function discoverySuite(
  variant: string,
  makeWorld: () => Promise<DiscoveryWorld>,
  options: { ignore?: boolean } = {},
): void {
  const test = (sentence: string, body: (world: DiscoveryWorld) => Promise<void>) =>
    Deno.test({
      name: `${variant} discovery ${sentence}`,
      ignore: options.ignore ?? false,
      async fn() {
        const world = await makeWorld();
        try {
          await body(world);
        } finally {
          await world.close();
        }
      },
    });

  test("brings a client that came after the leader to it", async (world) => {
    const { heard } = await advertisingLeader(world);
    const { adverts } = await answeringClient(world, A);
    const advert = await heard.first("the client's advert");
    assert.deepEqual(advert, { kind: "advert", client: A, advert: clientAdvert() });
    assert.deepEqual(adverts.items, [leaderAdvert()]);
  });

  test("brings a client that came before the leader to it", async (world) => {
    await answeringClient(world, A);
    const { heard } = await advertisingLeader(world);
    await heard.first("the client's advert", isAdvertOf(A));
  });

  test("makes all clients answer each advert of the leader", async (world) => {
    const { leader, heard } = await advertisingLeader(world);
    await answeringClient(world, A);
    await answeringClient(world, B);
    await heard.first("A's answer", isAdvertOf(A));
    await heard.first("B's answer", isAdvertOf(B));
    const from = heard.length;
    leader.advertise(leaderAdvert({ timestamp: 1_700_000_100 }));
    await heard.first("A's second answer", isAdvertOf(A), { from });
    await heard.first("B's second answer", isAdvertOf(B), { from });
  });

  test("gives a late client the latest advert only", async (world) => {
    const { leader, heard } = await advertisingLeader(world);
    leader.advertise(leaderAdvert({ heartbeat_interval: 9 }));
    await answeringClient(world, B);
    await heard.first("B's answer", isAdvertOf(B));
    const { adverts } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    assert.deepEqual(adverts.items.map((advert) => advert.heartbeat_interval), [9]);
  });

  test("carries heartbeats", async (world) => {
    const { heard } = await advertisingLeader(world);
    const { client } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    client.discovery.heartbeat(1_700_000_002.25);
    const beat = await heard.first("a heartbeat", ({ kind }) => kind === "heartbeat");
    assert.deepEqual(beat, { kind: "heartbeat", client: A, timestamp: 1_700_000_002.25 });
  });

  test("tells within a second that a client's connection broke, and of nobody else", async (world) => {
    const { leader, heard } = await advertisingLeader(world);
    const { client } = await answeringClient(world, A);
    await answeringClient(world, B);
    await heard.first("A's answer", isAdvertOf(A));
    await heard.first("B's answer", isAdvertOf(B));
    client.crash();
    const lost = await heard.first("the loss of A", isLoss, { deadlineMs: 1000 });
    assert.deepEqual(lost, { kind: "lost", client: A });
    const from = heard.length;
    leader.advertise(leaderAdvert());
    await heard.first("B's answer", isAdvertOf(B), { from });
    assert.deepEqual(heard.items.filter(isLoss), [{ kind: "lost", client: A }]);
  });

  test("tells of a client's goodbye once, before close() has ended", async (world) => {
    const { leader, heard } = await advertisingLeader(world);
    const { client } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    await client.discovery.close();
    await heard.first("A's goodbye", isLoss);
    await answeringClient(world, B);
    leader.advertise(leaderAdvert());
    await heard.first("B's answer", isAdvertOf(B));
    assert.deepEqual(heard.items.filter(isLoss), [{ kind: "lost", client: A }]);
  });

  test("tells two leaders of the same client", async (world) => {
    const first = await advertisingLeader(world);
    const second = await advertisingLeader(world);
    await answeringClient(world, A);
    await first.heard.first("A's answer", isAdvertOf(A));
    await second.heard.first("A's answer", isAdvertOf(A));
    assert.deepEqual(first.connections.items, [true]);
    assert.deepEqual(second.connections.items, [true]);
  });

  test("lets close() be called twice", async (world) => {
    const { leader, heard } = await advertisingLeader(world);
    const { client } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    await client.discovery.close();
    await client.discovery.close();
    await leader.close();
    await leader.close();
    assert.deepEqual(heard.items.filter(isLoss).length, 1);
  });
}

/** A leader whose connection stands and who has advertised. */
export async function advertisingLeader(world: Pick<DiscoveryWorld, "leader">) {
  const leader = await world.leader();
  const heard = new Collected<ClientMessage>();
  const connections = new Collected<boolean>();
  leader.onMessage(heard.add);
  leader.onConnection(connections.add);
  leader.advertise(leaderAdvert());
  await connections.first("the leader's connection", (connected) => connected);
  return { leader, heard, connections };
}

/** A client that answers each advert of a leader. */
export async function answeringClient<C extends BreakableClient>(
  world: { client(id: ClientId): Promise<C> },
  id: ClientId,
) {
  const client = await world.client(id);
  const adverts = new Collected<LeaderAdvert>();
  client.discovery.onLeader((advert) => {
    adverts.add(advert);
    client.discovery.announce(clientAdvert(), advert.mqtt_client_topic);
  });
  return { client, adverts };
}

/** Whether a message is an advert of this client. */
export function isAdvertOf(id: ClientId): (message: ClientMessage) => boolean {
  return (message) => message.kind === "advert" && message.client === id;
}

/** Whether a message says that a client is gone. */
export function isLoss(message: ClientMessage): boolean {
  return message.kind === "lost";
}

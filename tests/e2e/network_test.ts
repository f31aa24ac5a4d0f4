/** Networks that cut, reset or hold up a transfer in its middle. */
import assert from "node:assert/strict";
import { TcpProxy } from "../chaos/tcp_proxy.ts";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);
/** Weights of half a megabyte, whose way takes seconds on a slow link. */
const CONFIG = {
  ...runConfig({ client: { max_mini_batches: 20 } }),
  model_config: { model_args: { hidden: 160 } },
};
const SLOW_BYTES_PER_SECOND = 300_000;
const HALF_OF_THE_WEIGHTS = 250_000;
/** A call ends after so long, whatever its own deadline. */
const LONGEST_CALL_S = 4;
/** The relays have the clients' ports at another address, which only Linux has without being told. */
const RELAYED_HOST = "127.0.0.2";

/** The way to client 1: what the leader sends, and what the client sends back. */
interface Ways {
  readonly down: TcpProxy;
  readonly up: TcpProxy;
}

async function run(happens: (ways: Ways) => Promise<void>): Promise<string> {
  await using federation = await Federation.start({
    edgeHost: RELAYED_HOST,
    serverConfig: { comm_config: { grpc: { timeout_s: LONGEST_CALL_S } } },
  });
  const relays = await Promise.all([0, 1, 2, 3].map((offset) => {
    const port = federation.firstEdgePort + offset;
    return TcpProxy.start({ host: RELAYED_HOST, port, to: port });
  }));
  try {
    const [first] = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
    const happened = happens({ down: relays[0]!, up: relays[1]! });
    const session = await federation.session(CONFIG, "--json");
    await happened;
    assert.equal(await session.exitCode(), 0, session.printed());
    const { final, rounds } = await federation.results();
    assert.deepEqual(rounds.map(({ failures }: { failures: unknown[] }) => failures), [[], []]);
    assert.equal([...first!.stderr.matchAll(/Training MLP/g)].length, 2, "nothing is repeated");
    return final.weights_id;
  } finally {
    await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()));
  }
}

const isLinux = Deno.build.os === "linux";
let calm: Promise<string> | null = null;

function sameAfter(what: string, happens: (ways: Ways) => Promise<void>): void {
  Deno.test({
    name: `${what}${isLinux ? "" : " (skipped: needs Linux)"}`,
    ignore: !isLinux,
    async fn() {
      calm ??= run(() => Promise.resolve());
      assert.equal(await run(happens), await calm);
    },
  });
}

for (
  const [way, whose] of [["down", "the weights to a client"], [
    "up",
    "the weights from a client",
  ]] as const
) {
  sameAfter(`${whose} cut off in the middle are sent again`, async (ways) => {
    const relay = ways[way];
    relay.limit(SLOW_BYTES_PER_SECOND);
    await relay.passes(HALF_OF_THE_WEIGHTS);
    relay.cut();
    await relay.passes(HALF_OF_THE_WEIGHTS);
    relay.reset();
    relay.limit(Infinity);
  });
  sameAfter(
    `${whose} that stall in the middle go on, or are sent again at the deadline`,
    async (ways) => {
      const relay = ways[way];
      relay.limit(SLOW_BYTES_PER_SECOND);
      await relay.passes(HALF_OF_THE_WEIGHTS);
      await relay.stall(1000);
      await relay.passes(100_000);
      relay.limit(Infinity);
      await relay.stall((LONGEST_CALL_S + 1) * 1000);
    },
  );
}

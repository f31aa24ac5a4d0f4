/** What the configuration of clients says of training, between real processes. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const LENET = fileURLToPath(new URL("../../models/LeNet5", import.meta.url));

const data = await makeMnist(1, 300);

/** What an update in `results.json` tells of its training. */
interface Told {
  readonly arithmetic: string;
  readonly threads: number;
}

/** Two rounds of LeNet5 on one client: its model and what its updates tell. */
async function run(training: Record<string, unknown>) {
  await using federation = await Federation.start({
    leaderData: data.leader,
    clientConfig: { training },
  });
  await federation.startClient(1, data.part(1));
  const session = await federation.session(runConfig({
    session: { min_clients: 1 },
    server: { model_dir: LENET },
    client: { model_id: "LeNet5" },
  }));
  assert.equal(await session.exitCode(), 0, session.printed());
  const { rounds } = await federation.results();
  return {
    model: await Deno.readFile(join(await federation.runFolder(), "model.safetensors")),
    updates: rounds.flatMap(({ updates }: { updates: Told[] }) =>
      updates.map(({ arithmetic, threads }) => ({ arithmetic, threads }))
    ),
  };
}

Deno.test("training of client_config.yaml: 2 threads give the model of one, byte by byte, and updates tell", async () => {
  const one = await run({ arithmetic: "portable" });
  const two = await run({ arithmetic: "portable", threads: 2 });
  const told = (threads: number) => ({ arithmetic: "portable", threads });
  assert.deepEqual(one.updates, [told(1), told(1)]);
  assert.deepEqual(two.updates, [told(2), told(2)]);
  assert.deepEqual(two.model, one.model);
});

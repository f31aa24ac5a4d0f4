/** 32 clients with 320 images each, 10 rounds of the demo's model, from submission to the end. */
import { makeDemoData } from "../tools/demo_data.ts";
import { Federation } from "../tests/fixtures/federation.ts";
import { quickstart } from "./quickstart.ts";
import { report } from "./report.ts";

const CLIENTS = 32;

/** Measures and prints. */
export async function smallClients(): Promise<void> {
  const data = await Deno.makeTempDir();
  await makeDemoData({ clients: CLIENTS, items: 320, out: data, seed: 1 }, () => {});
  {
    await using federation = await Federation.start({ leaderData: `${data}/leader` });
    await federation.startClient(1, `${data}/part_{n}`, "--count", `${CLIENTS}`);
    await federation.clientsActive(CLIENTS);
    const session = await federation.session(quickstart({
      session_config: {
        client_selection: "all",
        client_selection_args: {},
        min_clients: CLIENTS,
        validation_round_interval: 10,
      },
      server_training_config: { num_training_rounds: 10 },
      client_training_config: { epochs: 1 },
    }));
    if (await session.exitCode(300_000) !== 0) throw new Error(session.printed());
    const { seconds, final } = await federation.results();
    report({ what: "32 clients x 320 images, 10 rounds", value: seconds, unit: "s", bar: 10 });
    console.log(`  accuracy ${(final.validation.accuracy * 100).toFixed(2)} %`);
  }
  await Deno.remove(data, { recursive: true });
}

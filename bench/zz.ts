import { Federation } from "../tests/fixtures/federation.ts";
import { quickstart } from "./quickstart.ts";
const data = "/tmp/zzdata";
for (let i = 0; i < 3; i++) for (const store of ["memory", "sqlite"]) {
  await using federation = await Federation.start({ serverArgs: ["--state", store], leaderData: data + "/leader" });
  for (const n of [1, 2]) await federation.startClient(n, `${data}/part_${n}`);
  const session = await federation.session(quickstart({ session_config: { min_clients: 2, client_selection: "all", client_selection_args: {} } }));
  await session.exitCode(100_000);
  console.log(store, (await federation.results()).seconds);
}

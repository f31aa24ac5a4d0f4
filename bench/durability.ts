/**
 * What it costs that nothing is lost, and how soon a killed leader is back at work: with SQLite, and
 * with Redis where one is installed.
 */
import { join } from "node:path";
import { openSqliteStore } from "../src/state/sqlite.ts";
import type { Store } from "../src/state/store.ts";
import { Federation, type FederationOptions, type Program } from "../tests/fixtures/federation.ts";
import { redisBinary, RedisServer } from "../tests/fixtures/redis.ts";
import { makeDemoData } from "../tools/demo_data.ts";
import { echoRun } from "./echo_rounds.ts";
import { median } from "./processes.ts";
import { quickstart } from "./quickstart.ts";
import { report } from "./report.ts";

/** Hidden units of an MLP of 250 KB. */
const HIDDEN = 79;
const LONG_JOURNAL = 1000;

/** Measures and prints. */
export async function durability(): Promise<void> {
  const data = await Deno.makeTempDir();
  await makeDemoData({ clients: 3, items: 300, out: data, seed: 1 }, () => {});
  await appends();
  await resumes("SQLite", {}, data);
  await crowd("SQLite", {}, data);
  await crowd("memory", { state: { state_location: "inmemory" } }, data);
  if (redisBinary !== null) {
    await using redis = await RedisServer.start();
    const state = { state_location: "redis", state_hostname: "127.0.0.1", state_port: redis.port };
    await resumes("Redis", { serverConfig: { state } }, data);
    await crowd("Redis", { state }, data);
  }
  await costOfSqlite();
  await Deno.remove(data, { recursive: true });
}

/** How long the event loop stands still for an append, of an event as large as a round of ten. */
async function appends(): Promise<void> {
  const folder = await Deno.makeTempDir();
  const store: Store = await openSqliteStore(folder);
  const event = {
    type: "round_started",
    selected: Array.from({ length: 10 }, () => "x".repeat(80)),
  };
  const times: number[] = [];
  for (let seq = 0; seq < 2000; seq++) {
    const start = performance.now();
    await store.journal.append("s", seq, [event]);
    times.push(performance.now() - start);
  }
  await store.close();
  await Deno.remove(folder, { recursive: true });
  times.sort((a, b) => a - b);
  const value = times[Math.floor(times.length * 0.99)]!;
  report({ what: "an append with SQLite, 99th percentile", value, unit: "ms", bar: 5 });
  const worst = times.at(-1)!;
  report({ what: "an append with SQLite, the longest of 2,000", value: worst, unit: "ms", bar: 5 });
}

/** Kills leaders, early in a run and after many rounds. */
async function resumes(name: string, options: FederationOptions, data: string): Promise<void> {
  await using federation = await Federation.start(options);
  const clients: Program[] = [];
  for (const n of [1, 2, 3]) clients.push(await federation.startClient(n, `${data}/part_${n}`));
  await federation.session(
    quickstart({
      session_config: {
        client_selection: "all",
        client_selection_args: {},
        min_clients: 3,
        validation_round_interval: 0,
      },
      server_training_config: { num_training_rounds: 100_000 },
      client_training_config: { model_id: "MLP", epochs: 1, max_mini_batches: 1 },
      model_config: { model_args: { hidden: HIDDEN } },
    }),
    "--detach",
  );
  const early: number[] = [];
  for (let i = 0; i < 3; i++) {
    await clients[0]!.says(new RegExp(`round ${5 * (i + 1)}\n`), 60_000);
    early.push(await resumeSeconds(federation, clients));
  }
  report({ what: `resume with ${name}, 3 clients`, value: median(early), unit: "s", bar: 2 });
  await clients[0]!.says(new RegExp(`round ${LONG_JOURNAL}\n`), 600_000);
  const late = await resumeSeconds(federation, clients);
  report({
    what: `  and after ${LONG_JOURNAL} rounds, beyond that`,
    value: late - median(early),
    unit: "s",
    bar: 1,
  });
}

/** Seconds from the start of a new leader, after the last was killed, to the first client at work. */
async function resumeSeconds(federation: Federation, clients: readonly Program[]): Promise<number> {
  federation.server.kill("SIGKILL");
  await federation.server.ended;
  // What was said before the kill may still be on its way through the pipe.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const seen = clients.map(({ stderr }) => stderr.length);
  const start = performance.now();
  await federation.launchServer();
  const isAtWork = (client: Program, i: number) =>
    /Training|Delivering/.test(client.stderr.slice(seen[i]));
  while (!clients.some(isAtWork)) await new Promise((resolve) => setTimeout(resolve, 5));
  return (performance.now() - start) / 1000;
}

/** The demo's run with both stores, in turn. */
async function costOfSqlite(): Promise<void> {
  const data = await Deno.makeTempDir();
  await makeDemoData({ clients: 2, items: 6000, out: data, seed: 1 }, () => {});
  const seconds = { memory: [] as number[], sqlite: [] as number[] };
  for (let i = 0; i < 3; i++) {
    for (const store of ["memory", "sqlite"] as const) {
      await using federation = await Federation.start({
        serverArgs: ["--state", store],
        leaderData: join(data, "leader"),
      });
      for (const n of [1, 2]) await federation.startClient(n, `${data}/part_${n}`);
      const session = await federation.session(quickstart({
        session_config: { min_clients: 2, client_selection: "all", client_selection_args: {} },
      }));
      if (await session.exitCode(300_000) !== 0) throw new Error(session.printed());
      seconds[store].push((await federation.results()).seconds);
    }
  }
  report({
    what: "a run with SQLite beside one in memory",
    value: (median(seconds.sqlite) / median(seconds.memory) - 1) * 100,
    unit: "%",
    bar: 5,
  });
  await Deno.remove(data, { recursive: true });
}

/** Memory of a leader whose rounds have 200 clients. */
async function crowd(
  store: string,
  serverConfig: Record<string, unknown>,
  data: string,
): Promise<void> {
  const { peakBytes } = await echoRun(
    { clients: 200, processes: 2, hidden: HIDDEN, rounds: 6, serverConfig },
    data,
  );
  report({
    what: `leader with ${store}, 200 clients x 250 KB`,
    value: peakBytes / 1e6,
    unit: "MB",
    bar: 300,
  });
}

/**
 * What a round costs beyond training: sessions with the `echo` trainer, whose clients send back the
 * weights that they got.
 */
import { makeDemoData } from "../tools/demo_data.ts";
import { Federation } from "../tests/fixtures/federation.ts";
import { median, megabytes, MemoryWatch, residentBytes } from "./processes.ts";
import { quickstart } from "./quickstart.ts";
import { report } from "./report.ts";

/** One measured session. */
export interface EchoRun {
  /** Seconds of each round but the first, which also moves the package. */
  readonly rounds: readonly number[];
  readonly peakBytes: number;
  readonly idleBytes: number;
}

/** How large a session to measure. */
export interface EchoOptions {
  readonly clients: number;
  /** Processes that hold them. */
  readonly processes: number;
  /** Units of the MLP's hidden layer: 785 * h + 10 * (h + 1) floats in all. */
  readonly hidden: number;
  readonly rounds: number;
  /** @default {{}} the state is SQLite */
  readonly serverConfig?: Record<string, unknown>;
}

/** Runs a session of echoing clients. */
export async function echoRun(options: EchoOptions, data: string): Promise<EchoRun> {
  const { clients, processes, hidden, rounds, serverConfig = {} } = options;
  await using federation = await Federation.start({ serverConfig });
  const each = clients / processes;
  for (let i = 0; i < processes; i++) {
    await federation.startClient(1 + i * each, `${data}/part_1`, "--count", `${each}`);
  }
  await federation.clientsActive(clients);
  const { pid } = federation.server.process;
  const idleBytes = residentBytes(pid);
  using watch = new MemoryWatch(pid);
  const session = await federation.session(quickstart({
    session_config: {
      client_selection: "all",
      client_selection_args: {},
      min_clients: clients,
      validation_round_interval: 0,
    },
    server_training_config: { num_training_rounds: rounds },
    client_training_config: { trainer: "echo", model_id: "MLP" },
    model_config: { model_args: { hidden } },
  }));
  if (await session.exitCode(300_000) !== 0) throw new Error(session.printed());
  const results = await federation.results();
  return {
    rounds: results.rounds.slice(1).map(({ seconds }: { seconds: number }) => seconds),
    peakBytes: watch.peak,
    idleBytes,
  };
}

/** Measures and prints. */
export async function echoRounds(): Promise<void> {
  const data = await Deno.makeTempDir();
  await makeDemoData({ clients: 1, items: 32, out: data, seed: 1 }, () => {});
  const two = await echoRun({ clients: 2, processes: 2, hidden: 78, rounds: 8 }, data);
  report({
    what: "round beyond training: 2 clients, 250 KB",
    value: median(two.rounds) * 1000,
    unit: "ms",
    bar: 60,
  });
  const many = await echoRun({ clients: 200, processes: 1, hidden: 78, rounds: 5 }, data);
  report({
    what: "round: 200 clients in one process, 250 KB",
    value: median(many.rounds),
    unit: "s",
    bar: 1,
  });
  report({
    what: "  the leader's memory",
    value: many.peakBytes / 1e6,
    unit: "MB",
    bar: 250,
  });
  // 31,446 * 795 + 10 floats are 100 MB.
  const large = await echoRun({ clients: 2, processes: 2, hidden: 31_446, rounds: 4 }, data);
  report({ what: "round: 2 clients, 100 MB", value: median(large.rounds), unit: "s", bar: 2.5 });
  report({
    what: `  the leader's growth over ${megabytes(large.idleBytes)}`,
    value: (large.peakBytes - large.idleBytes) / 1e6,
    unit: "MB",
    bar: 300,
  });
  await Deno.remove(data, { recursive: true });
}

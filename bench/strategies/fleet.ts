/**
 * A leader and 20 clients on unlike parts of MNIST. Sixteen are of four kinds, of about the same
 * speed; the last four are stragglers, four times as slow as the others on average.
 *
 * The clients share one process and two cores or so, so the processor must not be what they wait
 * for: a client computes for about 20 ms (32 steps of 10 images) and sleeps for 20 times as long and
 * more, so that it takes half a second, and a straggler two. All of them together then use less than
 * one core, and a round takes as long as its slowest client, as on machines of their own. Everybody
 * does equally many steps, so that nobody is slow for the items that it has.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makePartition } from "../../src/cli/partition_folder.ts";
import { allIndices, seeded, shuffle } from "../../src/core/prng.ts";
import { deriveSeed } from "../../src/core/derive_seed.ts";
import type { RawData } from "../../src/data/dataset.ts";
import { pickRows } from "../../src/data/pick_rows.ts";
import { openSource } from "../../src/data/sources.ts";
import type { SessionEntry } from "../../src/session/events.ts";
import type { Results } from "../../src/session/results.ts";
import { runHistory } from "../../src/session/run_history.ts";
import { Federation } from "../../tests/fixtures/federation.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** Clients of the fleet. */
export const CLIENTS = 20;
/** Seconds that each kind of client takes, beside the fastest; the last one is four times the mean. */
const KINDS = [1, 1.25, 1.5, 1.75, 5.5];
/** The fastest clients' slowdown, with which waiting takes most of the time. */
export const SLOWDOWN = 20;

const MODEL = fileURLToPath(new URL("../../models/LeNet5", import.meta.url));
/** Items of all clients together, and of the leader's test set: enough for 90 %, and soon tested. */
const ITEMS = 20_000;
const TEST_ITEMS = 2_000;
const BATCH_SIZE = 10;
/** Steps of a client in a round. */
const STEPS = 32;
/** So many steps are full batches of one epoch; a twentieth of the items is not trained on. */
const LEAST_ITEMS = Math.ceil(BATCH_SIZE * STEPS / 0.95) + 1;

/** The leader's evaluation of a model, as the log tells it, with 90 % or more. */
const NINETY = /"type":"round_validated"[^\n]*"accuracy":(0\.9|1\b)/;

/** What differs between fleets. */
export interface FleetOptions {
  /** Of the Dirichlet distribution of the labels. */
  readonly alpha: number;
  /** How many times as long as its own steps the training of the fastest clients takes. */
  readonly slowdown: number;
  /** Decides the data and their partition. @default {1} */
  readonly seed?: number;
}

/** Parts of a session config, by section. */
export type ConfigParts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** When a run ends, whatever comes first. */
export interface Budget {
  /** Of wall time, from the start of the session. @default no limit */
  readonly seconds?: number;
  /** @default no limit */
  readonly rounds?: number;
  /** Whether an accuracy of 90 % on the leader's test set is enough. @default {false} */
  readonly untilNinety?: boolean;
}

/** All clients train, and validate before rounds 2 and 3. */
const WARM_UP: ConfigParts = {
  session_config: {
    client_selection: "high_loss",
    client_selection_args: { client_fraction: 1, validation_round_interval: 1 },
  },
};

/** Leader and clients, in two processes. */
export class Fleet implements AsyncDisposable {
  private constructor(readonly federation: Federation, readonly data: string) {}

  /**
   * Makes the data, starts all and lets every client train and validate, so that nothing is cold: a
   * slow client would also sleep for what is compiled in its first steps.
   */
  static async start({ alpha, slowdown, seed = 1 }: FleetOptions): Promise<Fleet> {
    const data = await Deno.makeTempDir({ prefix: "flotilla_stragglers_" });
    const parts = join(data, "parts");
    await partitionMnist(parts, alpha, seed);
    const federation = await Federation.start({
      leaderData: join(parts, "leader"),
      serverArgs: ["--state", "memory"],
    });
    const fleet = new Fleet(federation, data);
    try {
      const each = CLIENTS / KINDS.length;
      const slow = KINDS.map((factor, i) =>
        `${slowdown * factor}:${1 + i * each}-${(i + 1) * each}`
      );
      await federation.startClient(
        1,
        join(parts, "part_{n}"),
        ...["--count", `${CLIENTS}`, "--slowdown", ...slow],
      );
      await federation.clientsActive(CLIENTS);
      await fleet.run("warm-up", WARM_UP, { rounds: 3 });
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a session until its budget is used up. @throws {Error} it has failed */
  async run(name: string, parts: ConfigParts, budget: Budget, seed = 1): Promise<Outcome> {
    const { federation } = this;
    const config = sessionConfig(name, parts, budget, seed);
    const session = await federation.session(config, "--detach");
    if (await session.exitCode() !== 0) throw new Error(session.printed());
    const id = /^session (\S+)$/m.exec(session.stdout)![1]!;
    await using log = federation.ask("logs", id, "--follow", "--json");
    const { seconds, rounds, untilNinety = false } = budget;
    if (rounds === undefined) {
      const started = await log.says(/"at":(\d+),"event":\{"type":"session_started"/);
      const endMs = Number(started[1]) + (seconds ?? Infinity) * 1000;
      const isOver = () => Date.now() >= endMs || (untilNinety && NINETY.test(log.stdout));
      while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 50));
      await federation.api(`/api/v1/sessions/${id}/stop`, { method: "POST" });
    }
    await log.exitCode(600_000);
    const results: Results = await federation.results(id);
    if (results.status === "failed") throw new Error(`${name} failed: ${results.reason}`);
    const journal = await Deno.readTextFile(join(await federation.runFolder(id), "log.jsonl"));
    const entries: SessionEntry[] = journal.trim().split("\n").map((line) => JSON.parse(line));
    return outcomeOf(name, results, runHistory(results, entries), seconds ?? Infinity);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.federation[Symbol.asyncDispose]();
    await Deno.remove(this.data, { recursive: true });
  }
}

async function partitionMnist(out: string, alpha: number, seed: number): Promise<void> {
  const mnist = await openSource("mnist");
  const source = {
    ...mnist,
    name: "MNIST",
    train: someOf(mnist.train, ITEMS, seed),
    test: someOf(mnist.test!, TEST_ITEMS, seed),
  };
  await makePartition(source, {
    mode: "dirichlet",
    clients: CLIENTS,
    options: { alpha, minSamples: LEAST_ITEMS },
    seed,
    out,
    testFraction: 0,
    models: [],
  });
}

function someOf(data: RawData, count: number, seed: number): RawData {
  const order = shuffle(allIndices(data.labels.count), seeded(deriveSeed(seed, "rows")));
  return pickRows(data, order.subarray(0, count));
}

function sessionConfig(name: string, parts: ConfigParts, { rounds }: Budget, seed: number) {
  return {
    session_config: { session_id: name, min_clients: CLIENTS, seed, ...parts["session_config"] },
    server_training_config: {
      model_dir: MODEL,
      num_training_rounds: rounds ?? 1_000_000,
      global_model_validation_batch_size: 64,
    },
    client_training_config: {
      model_id: "LeNet5",
      dataset: "MNIST",
      batch_size: BATCH_SIZE,
      max_mini_batches: STEPS,
      learning_rate: 0.05,
      ...parts["client_training_config"],
    },
    benchmark_config: { ...parts["benchmark_config"] },
  };
}

/** What the end-to-end tests run on: small parts of the real MNIST, and a config to train on them. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDemoData } from "../../tools/demo_data.ts";

/** Folder of the MLP's model package. */
export const MLP = fileURLToPath(new URL("../../models/MLP", import.meta.url));

/** Folders of data; removed when the test file has ended. */
export interface Mnist {
  /** The leader's, with the 10,000 test images. */
  readonly leader: string;
  /** A client's; counts from 1. */
  part(client: number): string;
}

/** Makes the data for a test file. */
export async function makeMnist(clients: number, items: number): Promise<Mnist> {
  const out = await Deno.makeTempDir({ prefix: "flotilla_mnist_" });
  Deno.test.afterAll(() => Deno.remove(out, { recursive: true }));
  await makeDemoData({ clients, items, out, seed: 1 }, () => {});
  return { leader: join(out, "leader"), part: (client) => join(out, `part_${client}`) };
}

/** Keys to add to a session config, by section. */
export interface ConfigChanges {
  readonly session?: Record<string, unknown>;
  readonly server?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
  readonly benchmark?: Record<string, unknown>;
}

/** A session config: all clients, at least two, two rounds of the MLP, seed 42. */
export function runConfig({ session, server, client, benchmark }: ConfigChanges = {}) {
  return {
    session_config: { client_selection: "all", min_clients: 2, seed: 42, ...session },
    server_training_config: { model_dir: MLP, num_training_rounds: 2, ...server },
    client_training_config: { model_id: "MLP", dataset: "MNIST", learning_rate: 0.1, ...client },
    ...(benchmark && { benchmark_config: benchmark }),
  };
}

/** Training that takes about a minute unless it is cut short, and reports progress all the while. */
export const LONG_TRAINING = { batch_size: 1, epochs: 100 };

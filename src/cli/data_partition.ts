/** `flotilla data partition`: divides data among clients, to try federated learning with. */
import { basename } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { openSource } from "../data/sources.ts";
import type { PartitionOptions } from "../partition/partition.ts";
import { flagOf, type PartitionModeName, partitionModes } from "../partition/registry.ts";
import { examples } from "./command.ts";
import { jsonOption } from "./flags.ts";
import { standardOutput } from "./output.ts";
import { type ClientPart, makePartition } from "./partition_folder.ts";
import { printRows } from "./print_rows.ts";
import { positiveCount } from "./service_flags.ts";
import type { Column } from "./table.ts";

/** Lines for the end of the help. */
export const PARTITION_EXAMPLES = [
  "flotilla data partition --from mnist --mode dirichlet --alpha 0.3 --clients 20 --out data/d03",
  "flotilla data partition --from mnist --mode limit_label_unique --labels 0,1 2,3 4,5 --samples 500 --out data/pairs",
  "flotilla data partition --from mnist --mode probability --probability 0.5 0.3 0.2 --out data/p",
  "flotilla data partition --from cifar10 --mode shard --clients 10 --out data/shards",
  "flotilla data partition --from patients.csv --mode column --column hospital --out data/hospitals",
];

interface PartitionFlags extends PartitionOptions {
  readonly from: string;
  readonly mode: PartitionModeName;
  readonly clients?: number;
  readonly nClients?: number;
  readonly out: string;
  readonly seed: number;
  readonly name?: string;
  readonly testFraction: number;
  readonly column?: string;
  readonly label?: string;
  readonly models: readonly string[];
  readonly json?: boolean;
}

/** Adds flags, help and action. */
export function definePartition(command: Command): void {
  const modes = Object.keys(partitionModes);
  command
    .description("divide data among clients: a dataset for each, and the leader's test set")
    .requiredOption(
      "--from <data>",
      "mnist, a folder with the files of MNIST or CIFAR-10, of a dataset, or of images by class; a .npz, .csv or .parquet",
    )
    .addOption(
      new Option("--mode <mode>", "how to divide, see below").choices(modes).default("iid"),
    )
    .option("--clients <n>", "number of clients", positiveCount)
    .addOption(
      new Option("--n-clients <n>", "number of clients, as the original spells it")
        .argParser(positiveCount).conflicts("clients").hideHelp(),
    )
    .requiredOption("--out <dir>", "new folder for part_1, part_2, ..., leader and partition.svg")
    .option("--seed <n>", "decides what is random: the same seed, the same partition", seed, 1)
    .option("-a, --alpha <number>", "concentration of Dirichlet: small is uneven", positive)
    .option("--min-samples <n>", "fewest items of a client", positiveCount)
    .option("-f, --fraction <part>", "part of a class that a client gets", fraction)
    .option("--labels-per-client <n>", "number of labels of a client", positiveCount)
    .option("--labels <lists...>", "labels of each client: 0,1 2,3 or, if named, oak,ash fir")
    .option("--samples <n>", "items of a label, or of a client", positiveCount)
    .option("--probability <parts...>", "part of every class for each client", partList)
    .option("--shards-per-client <n>", "shards that a client gets", positiveCount)
    .option("--column <name>", "column of a table that says whose a row is; leaves the items")
    .option("--label <name>", 'column of a table with the labels, else "label" or the last one')
    .option("--name <name>", "name of the dataset, else that of the data", datasetName)
    .option(
      "--test-fraction <part>",
      "part held out for the leader, if the data have no test set",
      heldOut,
      0.1,
    )
    .option("--models <ids...>", "models that suit the data, for people", [])
    .addOption(jsonOption())
    .addHelpText("after", `\nModes:\n${modeLines()}\n${examples(...PARTITION_EXAMPLES)}`)
    .action(partition);
}

async function partition(flags: PartitionFlags): Promise<void> {
  const { from, mode, clients, nClients, out, seed, name, testFraction, column, label, models } =
    flags;
  const opened = await openSource(from, {
    ...(column === undefined ? {} : { column }),
    ...(label === undefined ? {} : { label }),
  });
  const source = { ...opened, name: name ?? opened.name };
  const plan = { mode, clients: clients ?? nClients ?? null, options: optionsOf(flags), seed };
  const made = await makePartition(source, { ...plan, out, testFraction, models });
  if (flags.json ?? false) {
    for (const part of made.parts) standardOutput.write(`${JSON.stringify(part)}\n`);
    return;
  }
  const labels = Object.keys(made.parts[0]?.labels ?? {});
  printRows<ClientPart>(columnsFor(labels), made.parts, (part) => [
    String(part.client),
    String(part.items),
    ...labels.map((one) => String(part.labels?.[one] || "-")),
  ], { json: false, none: "" });
  const { leader } = made;
  standardOutput.write(
    `\n${made.parts.map(({ folder }) => folder).slice(0, 1)}` +
      `${made.parts.length > 1 ? ` to part_${made.parts.length}` : ""}\n` +
      (leader === null ? "" : `${leader.folder}: ${leader.items} items to test on\n`) +
      `${made.plot}\n`,
  );
}

/** The flags of modes that were given. */
function optionsOf(flags: PartitionFlags): PartitionOptions {
  const all: { readonly [K in keyof Required<PartitionOptions>]: PartitionOptions[K] } = {
    alpha: flags.alpha,
    minSamples: flags.minSamples,
    fraction: flags.fraction,
    labelsPerClient: flags.labelsPerClient,
    labels: flags.labels,
    samples: flags.samples,
    probability: flags.probability,
    shardsPerClient: flags.shardsPerClient,
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as PartitionOptions;
}

/** A table of many labels is cut at the terminal's width, the last label first. */
function columnsFor(labels: readonly string[]): Column[] {
  return [
    { title: "CLIENT", align: "right" },
    { title: "ITEMS", align: "right" },
    ...labels.map((title, i): Column => ({ title, align: "right", dropped: labels.length - i })),
  ];
}

function modeLines(): string {
  return Object.entries(partitionModes).map(([name, { summary, options }]) => {
    const flags = options.map(flagOf).join(" ");
    return `  ${name.padEnd(20)}${summary}${flags && ` (${flags})`}`;
  }).join("\n");
}

function seed(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("It must be a whole number from 0.");
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("It must be a number greater than 0.");
}

function fraction(text: string): number {
  const value = positive(text);
  if (value <= 1) return value;
  throw new InvalidArgumentError("It must be greater than 0 and at most 1.");
}

function heldOut(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("It must be at least 0 and less than 1.");
}

function partList(text: string, before: readonly number[] = []): readonly number[] {
  const values = text.split(",").map(Number);
  if (values.every((value) => value > 0 && value <= 1)) return [...before, ...values];
  throw new InvalidArgumentError("Each must be greater than 0 and at most 1.");
}

function datasetName(text: string): string {
  if (text !== "" && text === basename(text) && !text.startsWith(".")) return text;
  throw new InvalidArgumentError("It must be the name of a folder.");
}

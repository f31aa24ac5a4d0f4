/** Makes the folder of a partition: a dataset a client, the leader's test set, the plot. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, UsageError } from "../core/errors.ts";
import { allIndices, seeded, shuffle } from "../core/prng.ts";
import { deriveSeed } from "../core/derive_seed.ts";
import type { Dataset } from "../data/dataset.ts";
import { checkedDataset, countLabels } from "../data/load.ts";
import { pickRows } from "../data/pick_rows.ts";
import type { Source } from "../data/sources.ts";
import { type DatasetNotes, writeDataset } from "../data/write_dataset.ts";
import { columnValues } from "../partition/column_values.ts";
import { type PartitionPlan, partitionRows } from "../partition/registry.ts";
import { partitionPlot } from "../plot/partition_plot.ts";

/** How to make a partition. */
export interface PartitionRequest extends PartitionPlan {
  /** New or empty folder. */
  readonly out: string;
  /** Part in [0, 1) of the rows held out for the leader if the source has no test set. */
  readonly testFraction: number;
  /** Models that fit, for people; empty for those that the source knows. */
  readonly models: readonly string[];
}

/** What one client got. */
export interface ClientPart {
  readonly client: number;
  readonly folder: string;
  readonly items: number;
  /** Items by label; null for a regression. */
  readonly labels: Readonly<Record<string, number>> | null;
}

/** What was made. */
export interface MadePartition {
  readonly parts: readonly ClientPart[];
  /** The leader's test set; null if there is none. */
  readonly leader: { readonly folder: string; readonly items: number } | null;
  readonly plot: string;
}

/**
 * Divides a source and writes all of it; the folder appears whole or not at all.
 *
 * @throws {UsageError} the folder is there and not empty, or the rows cannot be divided so
 * @throws {DataError} the source's data are not usable
 */
export async function makePartition(
  source: Source,
  request: PartitionRequest,
): Promise<MadePartition> {
  refuseFull(request.out);
  const whole = checkedDataset(source, source.train);
  const { train, test, column } = withTest(source, request);
  const labels = train.labels.values instanceof Int32Array ? train.labels.values : null;
  const classes = whole.classes ?? 0;
  const rows = { count: train.labels.count, labels, classes, names: source.labelNames, column };
  const lists = partitionRows(rows, request);
  const { mode, seed, out } = request;
  const notes: DatasetNotes = {
    datasetId: source.name,
    tags: tagsOf(whole),
    models: request.models.length > 0 ? request.models : source.models,
    classes: whole.classes,
    normalise: source.normalise,
    labelNames: source.labelNames,
    comment: `${source.name}, divided among ${lists.length} clients by ${mode} with seed ${seed}`,
  };
  const titles = source.labelNames ?? Array.from({ length: classes }, (_, label) => String(label));
  const stage = `${resolve(out)}.${crypto.randomUUID()}.tmp`;
  try {
    const parts: ClientPart[] = [];
    for (const [i, list] of lists.entries()) {
      const place = join(`part_${i + 1}`, source.name);
      const part = pickRows(train, list);
      await writeDataset(join(stage, place), "train_dataset_config.yaml", part, notes);
      const { labelCounts: counts } = countLabels(part.labels, classes);
      const byLabel = counts && Object.fromEntries(counts.map((count, l) => [titles[l]!, count]));
      parts.push({
        client: i + 1,
        folder: join(out, place),
        items: list.length,
        labels: byLabel,
      });
    }
    const leader = join("leader", source.name);
    if (test !== null) {
      await writeDataset(join(stage, leader), "dataset_config.yaml", test, notes);
    }
    const title = `${source.name}: ${mode}, ${lists.length} clients, seed ${seed}`;
    await Deno.writeTextFile(join(stage, "partition.svg"), plotOf(title, parts));
    const made: MadePartition = {
      parts,
      leader: test === null ? null : { folder: join(out, leader), items: test.labels.count },
      plot: join(out, "partition.svg"),
    };
    const { options } = request;
    const record = { source: source.name, mode, options, seed, ...made };
    await Deno.writeTextFile(join(stage, "partition.json"), `${JSON.stringify(record, null, 2)}\n`);
    await moveTo(stage, out);
    return made;
  } catch (error) {
    await Deno.remove(stage, { recursive: true }).catch(() => {});
    if (
      error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory
    ) {
      throw new UsageError(`Cannot write to --out "${out}": ${messageOf(error)}`);
    }
    throw error;
  }
}

function refuseFull(out: string): void {
  if (!existsSync(out)) return;
  let used: boolean;
  try {
    used = [...Deno.readDirSync(out)].length > 0;
  } catch {
    throw new UsageError(`Cannot write to --out "${out}" as it is no folder: name another`);
  }
  if (used) {
    throw new UsageError(
      `Cannot write to --out "${out}" as it is not empty: name a new folder, or remove it first`,
    );
  }
}

/** An empty folder gives way to the finished one. */
async function moveTo(stage: string, out: string): Promise<void> {
  if (existsSync(out)) await Deno.remove(out);
  await Deno.rename(stage, out);
}

/** The rows to divide and those to test on, which are the source's own or held out at random. */
function withTest(source: Source, { testFraction, seed }: PartitionRequest) {
  const { train, test, column: cells } = source;
  const column = cells === null ? null : columnValues(cells);
  const count = train.labels.count;
  const held = test === null ? Math.round(count * testFraction) : 0;
  if (held === 0) return { train, test, column };
  const order = shuffle(allIndices(count), seeded(deriveSeed(seed, "test set")));
  const kept = order.subarray(held).sort();
  return {
    train: pickRows(train, kept),
    test: pickRows(train, order.subarray(0, held).sort()),
    column: column && { ...column, values: Int32Array.from(kept, (row) => column.values[row]!) },
  };
}

function tagsOf({ shape, labels }: Dataset): string[] {
  const kind = shape.length === 3 ? "image" : shape.length === 1 ? "table" : "series";
  return [kind, labels instanceof Int32Array ? "classification" : "regression"];
}

function plotOf(title: string, parts: readonly ClientPart[]): string {
  const labels = Object.keys(parts[0]?.labels ?? { items: 0 });
  return partitionPlot(
    title,
    labels,
    parts.map(({ client, items, labels: own }) => ({
      name: String(client),
      counts: own === null ? [items] : labels.map((label) => own[label]!),
    })),
  );
}

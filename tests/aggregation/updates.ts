/** Updates for aggregation that are held in memory. */
import type { AnyAggregator } from "../../src/aggregation/registry.ts";
import type { Update, UpdateReader } from "../../src/aggregation/aggregator.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { layoutOf } from "../../src/core/weights.ts";

/** A client's samples and weights. */
export interface Given {
  readonly samples: number;
  readonly values: Float32Array<ArrayBuffer>;
  /** @default none */
  readonly group?: string;
}

/** An update of client `c_<n>` that names its weights by number. */
export function updateOf(n: number, samples: number): Update {
  return {
    client: { id: `u${n}`, name: `c_${n}` },
    round: 1,
    group: null,
    weights: `${n}`,
    samples,
  };
}

/** Updates and a reader for them. */
export function updatesOf(given: readonly Given[]): { updates: Update[]; read: UpdateReader } {
  return {
    updates: given.map(({ samples }, n) => updateOf(n, samples)),
    read: ({ weights }, start, end) =>
      Promise.resolve(given[Number(weights)]!.values.subarray(start, end)),
  };
}

/** What an aggregation is about beside its updates. */
export interface Surroundings {
  /** @default {{}} */
  readonly args?: JsonObject;
  /** The global weights before. @default all 99 */
  readonly global?: Float32Array<ArrayBuffer>;
  /** The round that is completed. @default {1} */
  readonly round?: number;
  /** The round for which each update's client was selected, in their order. @default {1} */
  readonly assigned?: readonly number[];
  /** What the strategy left of earlier rounds. */
  readonly memory?: Memory;
}

/** What a strategy remembers. */
export interface Memory {
  state: JsonObject | null;
  readonly kept: Map<string, Float32Array>;
}

/** A strategy's memory before its first round. */
export function noMemory(): Memory {
  return { state: null, kept: new Map() };
}

/** The new global weights that a strategy makes of these updates. */
export async function aggregated(
  aggregator: AnyAggregator,
  given: readonly Given[],
  surroundings: Surroundings = {},
): Promise<Float32Array<ArrayBuffer>> {
  const { args = {}, round = 1, assigned = [], memory = noMemory() } = surroundings;
  const { updates, read } = updatesOf(given);
  const size = given[0]!.values.length;
  const global = {
    layout: layoutOf([{ name: "w", shape: [size] }]),
    values: surroundings.global ?? new Float32Array(size).fill(99),
  };
  // What is there before must not show.
  const result = new Float32Array(size).fill(NaN);
  memory.state = await aggregator.aggregate(
    {
      global,
      round,
      updates: updates.map((update, n) => ({
        ...update,
        round: assigned[n] ?? 1,
        group: given[n]!.group ?? null,
      })),
      read,
      state: memory.state ?? await aggregator.initial(args),
      kept: [...memory.kept.keys()],
      readKept: (name, start, end) => Promise.resolve(memory.kept.get(name)!.subarray(start, end)),
      keep(name, values) {
        memory.kept.set(name, values.slice());
        return Promise.resolve();
      },
    },
    args,
    result,
  );
  return result;
}

/** Updates for aggregation that are held in memory. */
import type { AnyAggregator } from "../../src/aggregation/registry.ts";
import type { Update, UpdateReader } from "../../src/aggregation/aggregator.ts";
import { layoutOf } from "../../src/core/weights.ts";

/** A client's samples and weights. */
export interface Given {
  readonly samples: number;
  readonly values: Float32Array<ArrayBuffer>;
}

/** An update of client `c_<n>` that names its weights by number. */
export function updateOf(n: number, samples: number): Update {
  return { client: { id: `u${n}`, name: `c_${n}` }, round: 1, weights: `${n}`, samples };
}

/** Updates and a reader for them. */
export function updatesOf(given: readonly Given[]): { updates: Update[]; read: UpdateReader } {
  return {
    updates: given.map(({ samples }, n) => updateOf(n, samples)),
    read: ({ weights }, start, end) =>
      Promise.resolve(given[Number(weights)]!.values.subarray(start, end)),
  };
}

/** The new global weights that a strategy makes of these updates. */
export async function aggregated(
  aggregator: AnyAggregator,
  given: readonly Given[],
): Promise<Float32Array<ArrayBuffer>> {
  const { updates, read } = updatesOf(given);
  const size = given[0]!.values.length;
  const global = {
    layout: layoutOf([{ name: "w", shape: [size] }]),
    values: new Float32Array(size).fill(99),
  };
  // What is there before must not show.
  const result = new Float32Array(size).fill(NaN);
  await aggregator.aggregate(
    { global, round: 1, updates, read, state: aggregator.initial({}) },
    {},
    result,
  );
  return result;
}

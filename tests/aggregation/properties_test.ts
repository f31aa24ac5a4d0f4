/** What holds for every aggregation, whatever the updates. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { AGGREGATOR_NAMES, aggregators } from "../../src/aggregation/registry.ts";
import { aggregated, type Given } from "./updates.ts";

/** Updates of four floats, all of one round and tier; doubling them rounds nothing away. */
const anyGiven: fc.Arbitrary<Given[]> = fc.array(
  fc.record({
    samples: fc.integer({ min: 1, max: 100_000 }),
    values: fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), {
      minLength: 4,
      maxLength: 4,
    }).map((values) => new Float32Array(values.map((one) => Math.abs(one) < 1e-30 ? 0 : one))),
    group: fc.constant("tier 1"),
  }),
  { minLength: 1, maxLength: 7 },
);
const GLOBAL = new Float32Array([1, -20, 0.5, 300]);

for (const name of AGGREGATOR_NAMES) {
  const aggregator = aggregators[name];
  /** The new weights of updates that are three rounds old, with shares below 1 where there are any. */
  const made = (given: readonly Given[], global = GLOBAL) => {
    const args = v.parse(aggregator.args, name === "fedasync" ? { mixing: 0.5 } : {});
    return aggregated(aggregator, given, { args, global, round: 4 });
  };

  Deno.test(`${name} gives the same weights for any order of updates, but for a rounding`, async () => {
    const shuffled = anyGiven.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length }))
    );
    await fc.assert(fc.asyncProperty(shuffled, async ([given, order]) => {
      const expected = await made(given);
      for (const [i, value] of (await made(order)).entries()) {
        const most = Math.max(...given.map(({ values }) => Math.abs(values[i]!)), 300);
        assert.ok(Math.abs(value - expected[i]!) <= most * 2 ** -23, `${value}, ${expected[i]}`);
      }
    }));
  });

  Deno.test(`${name} weighs by shares that sum to 1: it keeps what all agree on`, async () => {
    await fc.assert(fc.asyncProperty(anyGiven, async (given) => {
      const agreed = given.map((one) => ({ ...one, values: GLOBAL }));
      for (const [i, value] of (await made(agreed)).entries()) {
        assert.ok(Math.abs(value - GLOBAL[i]!) <= Math.abs(GLOBAL[i]!) * 2 ** -23, `${value}`);
      }
    }));
  });

  Deno.test(`${name} of one fresh update is that update, to the bit`, async () => {
    await fc.assert(fc.asyncProperty(anyGiven, async ([one]) => {
      const values = new Float32Array([...one!.values, -0, 2 ** -149, 3.4028234663852886e38]);
      const result = await aggregated(aggregator, [{ ...one!, values }], {
        args: v.parse(aggregator.args, {}),
      });
      assert.deepEqual(new Uint8Array(result.buffer), new Uint8Array(values.buffer));
    }));
  });

  Deno.test(`${name} doubles as all weights double, and not as all samples do`, async () => {
    const twice = (values: Float32Array) => Float32Array.from(values, (value) => 2 * value);
    await fc.assert(fc.asyncProperty(anyGiven, async (given) => {
      const result = await made(given);
      const more = given.map((one) => ({ ...one, samples: 2 * one.samples }));
      assert.deepEqual(await made(more), result);
      const larger = given.map((one) => ({ ...one, values: twice(one.values) }));
      assert.deepEqual(await made(larger, twice(GLOBAL)), twice(result));
    }));
  });
}

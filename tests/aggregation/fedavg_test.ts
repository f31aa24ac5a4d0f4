import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { fedavg } from "../../src/aggregation/fedavg.ts";
import { aggregators } from "../../src/aggregation/registry.ts";
import { byName } from "../../src/core/ids.ts";
import { aggregated, type Given, updateOf } from "./updates.ts";

const floats = fc.float({ noNaN: true, min: -1000, max: 1000 });
/** Updates of the same size from one client to eight. */
const anyGiven: fc.Arbitrary<Given[]> = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.array(
    fc.record({
      samples: fc.integer({ min: 1, max: 100_000 }),
      values: fc.array(floats, { minLength: size, maxLength: size })
        .map((values) => new Float32Array(values)),
    }),
    { minLength: 1, maxLength: 8 },
  )
);

/** Largest distance of neighbouring 32-bit floats at this magnitude. */
function ulp(value: number): number {
  return Math.max(2 ** (Math.floor(Math.log2(Math.abs(value))) - 23), 2 ** -149);
}

/** The exact mean: a float is a whole multiple of 2^-149, so sums of products are exact integers. */
function exactMean(given: readonly Given[], at: number): number {
  const units = (value: number) => {
    // Every float of at most 1000 is m * 2^-149 with a whole m, found by exact doublings.
    let [scaled, doublings] = [value, 149];
    while (!Number.isInteger(scaled)) {
      scaled *= 2;
      doublings--;
    }
    return BigInt(scaled) << BigInt(doublings);
  };
  const total = given.reduce((sum, { samples }) => sum + BigInt(samples), 0n);
  const sum = given.reduce((sum, { samples, values }) => {
    return sum + BigInt(samples) * units(values[at]!);
  }, 0n);
  // Rounded towards zero at 2^-149 of a unit, far below what Float64 can tell.
  const shifted = (sum << 64n) / total;
  return Number(shifted) * 2 ** -64 * 2 ** -149;
}

Deno.test("fedavg averages by samples, as computed by hand", async () => {
  // (100 * 1 + 300 * 5) / 400 = 4; (100 * -2 + 300 * 2) / 400 = 1; (0 + 300 * 0.5) / 400 = 0.375.
  const result = await aggregated(fedavg, [
    { samples: 100, values: new Float32Array([1, -2, 0]) },
    { samples: 300, values: new Float32Array([5, 2, 0.5]) },
  ]);
  assert.deepEqual([...result], [4, 1, 0.375]);
});

Deno.test("fedavg is within one place of 32-bit floats of the exact mean", async () => {
  await fc.assert(fc.asyncProperty(anyGiven, async (given) => {
    const result = await aggregated(fedavg, given);
    for (const [at, value] of result.entries()) {
      const exact = exactMean(given, at);
      // Float64 sums err by a part of 2^-50 of the largest term, which cancellation may leave.
      const largest = Math.max(...given.map(({ values }) => Math.abs(values[at]!)));
      assert.ok(
        Math.abs(value - exact) <= ulp(exact) / 2 + largest * 2 ** -49,
        `${value} for ${exact}`,
      );
    }
  }));
});

Deno.test("fedavg gives the same bytes for any order of arrival once sorted by name", async () => {
  const shuffled = anyGiven.chain((given) =>
    fc.record({
      given: fc.constant(given),
      order: fc.shuffledSubarray(given.map((_, n) => n), { minLength: given.length }),
    })
  );
  await fc.assert(fc.asyncProperty(shuffled, async ({ given, order }) => {
    const sorted = order.map((n) => updateOf(n, given[n]!.samples))
      .sort((a, b) => byName(a.client, b.client))
      .map(({ weights }) => given[Number(weights)]!);
    assert.deepEqual(await aggregated(fedavg, sorted), await aggregated(fedavg, given));
  }));
});

Deno.test("fedavg of one client is that client's update, to the bit", async () => {
  await fc.assert(fc.asyncProperty(anyGiven, async ([one]) => {
    const values = new Float32Array([...one!.values, -0, 0, 2 ** -149, 3.4028234663852886e38]);
    const result = await aggregated(fedavg, [{ samples: one!.samples, values }]);
    assert.deepEqual(new Uint8Array(result.buffer), new Uint8Array(values.buffer));
  }));
});

Deno.test("fedavg does not change when everybody has twice the samples", async () => {
  await fc.assert(fc.asyncProperty(anyGiven, async (given) => {
    const doubled = given.map(({ samples, values }) => ({ samples: 2 * samples, values }));
    assert.deepEqual(await aggregated(fedavg, doubled), await aggregated(fedavg, given));
  }));
});

Deno.test("fedavg doubles when all weights double", async () => {
  await fc.assert(fc.asyncProperty(anyGiven, async (given) => {
    const normal = given.map(({ samples, values }) => ({
      samples,
      // Doubling loses a bit only of numbers below 2^-126.
      values: values.map((value) => Math.abs(value) < 1e-30 ? 0 : value),
    }));
    const doubled = normal.map(({ samples, values }) => ({
      samples,
      values: values.map((value) => 2 * value),
    }));
    const result = await aggregated(fedavg, normal);
    assert.deepEqual(await aggregated(fedavg, doubled), result.map((value) => 2 * value));
  }));
});

Deno.test("fedavg stays between the smallest and the largest of the clients' weights", async () => {
  await fc.assert(fc.asyncProperty(anyGiven, async (given) => {
    for (const [at, value] of (await aggregated(fedavg, given)).entries()) {
      const all = given.map(({ values }) => values[at]!);
      const [low, high] = [Math.min(...all), Math.max(...all)];
      assert.ok(value >= low - ulp(low) && value <= high + ulp(high), `${value} of ${all}`);
    }
  }));
});

Deno.test("fedavg waits for everybody who is still expected", () => {
  const updates = [updateOf(1, 10), updateOf(2, 20)];
  const owing = updateOf(3, 30);
  assert.equal(fedavg.ready({ inFlight: [owing], updates, failures: 0 }, {}), null);
  assert.deepEqual(fedavg.ready({ inFlight: [], updates, failures: 0 }, {}), updates);
  assert.deepEqual(fedavg.ready({ inFlight: [], updates: [], failures: 2 }, {}), []);
});

Deno.test("fedavg takes no arguments and keeps no state", () => {
  assert.deepEqual(fedavg.initial({}), {});
  assert.equal(v.is(fedavg.args, {}), true);
  assert.equal(v.is(fedavg.args, { weighted: true }), false);
  assert.equal(aggregators.fedavg, fedavg);
});

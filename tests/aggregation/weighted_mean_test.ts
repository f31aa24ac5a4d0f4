import assert from "node:assert/strict";
import fc from "fast-check";
import { weightedMean } from "../../src/aggregation/weighted_mean.ts";
import { type Given, updatesOf } from "./updates.ts";

async function meanOf(given: readonly Given[], shares: readonly number[]): Promise<number[]> {
  const { updates, read } = updatesOf(given);
  const result = new Float32Array(given[0]!.values.length).fill(NaN);
  await weightedMean(updates, shares, read, result);
  return [...result];
}

Deno.test("weightedMean() adds every element once at the borders of its tiles", async () => {
  // Whatever the tile (a power of two up to 128 Ki), a border is among these sizes.
  for (const tile of [32_768, 65_536, 131_072]) {
    for (const size of [tile - 1, tile, tile + 1]) {
      const values = Float32Array.from({ length: size }, (_, i) => i);
      const given = [{ samples: 1, values }, { samples: 1, values: values.map((x) => x + 2) }];
      const { updates, read } = updatesOf(given);
      const result = new Float32Array(size).fill(NaN);
      await weightedMean(updates, [0.5, 0.5], read, result);
      assert.ok(result.every((value, i) => value === i + 1), `${size} floats`);
    }
  }
});

Deno.test("weightedMean() works on no float and on one", async () => {
  const shares = [0.25, 0.75];
  const updates = (values: number[]) => [
    { samples: 1, values: new Float32Array(values) },
    { samples: 1, values: new Float32Array(values.map((value) => 5 * value)) },
  ];
  assert.deepEqual(await meanOf(updates([]), shares), []);
  assert.deepEqual(await meanOf(updates([2]), shares), [8]);
});

Deno.test("weightedMean() reads each float of each update once, in ranges without gaps", async () => {
  const size = 100_000;
  const given = [1, 2, 3, 4, 5].map((samples) => ({ samples, values: new Float32Array(size) }));
  const { updates, read } = updatesOf(given);
  const ends = new Map<string, number>();
  await weightedMean(
    updates,
    updates.map(() => 0.2),
    (update, start, end) => {
      assert.equal(start, ends.get(update.weights) ?? 0);
      ends.set(update.weights, end);
      return read(update, start, end);
    },
    new Float32Array(size),
  );
  assert.deepEqual([...ends.values()], [size, size, size, size, size]);
});

Deno.test("weightedMean() sums in order in Float64 for any number of updates", async () => {
  const anyGiven = fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 5 })).chain(
    ([count, size]) => {
      const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
        minLength: size,
        maxLength: size,
      });
      const share = fc.double({ min: 0, max: 1, noNaN: true });
      return fc.array(fc.tuple(values, share), { minLength: count, maxLength: count });
    },
  );
  await fc.assert(fc.asyncProperty(anyGiven, async (drawn) => {
    const given = drawn.map(([values]) => ({ samples: 1, values: new Float32Array(values) }));
    const expected = [...given[0]!.values].map((_, at) =>
      Math.fround(
        drawn.reduce((sum, [, share], i) => sum + share * given[i]!.values[at]!, -0),
      )
    );
    assert.deepEqual(await meanOf(given, drawn.map(([, share]) => share)), expected);
  }));
});

Deno.test("weightedMean() keeps what Float32 accumulators would lose", async () => {
  // In Float32 2^24 + 1 is 2^24, so the ones would vanish one by one.
  const values = [2 ** 24, ...new Array<number>(8).fill(1), -(2 ** 24)];
  const given = values.map((value) => ({ samples: 1, values: new Float32Array([value]) }));
  assert.deepEqual(await meanOf(given, given.map(() => 1)), [8]);
});

Deno.test("weightedMean() passes a failed read on", async () => {
  const gone = () => Promise.reject(new Error("gone"));
  const { updates } = updatesOf([{ samples: 1, values: new Float32Array(1) }]);
  await assert.rejects(weightedMean(updates, [1], gone, new Float32Array(1)), /gone/);
});

Deno.test("weightedMean() gives the same whether a reader fills the tile or has floats of its own", async () => {
  const size = 300_001;
  const given = [0, 1, 2, 3, 4, 5].map((n) => ({
    samples: 1,
    values: Float32Array.from({ length: size }, (_, i) => Math.sin(i * (n + 1))),
  }));
  const shares = [0.1, 0.2, 0.3, 0.15, 0.05, 0.2];
  const { updates, read } = updatesOf(given);
  const own = new Float32Array(size), filled = new Float32Array(size);
  // Side by side, as two runs may aggregate at once.
  await Promise.all([
    weightedMean(updates, shares, read, own),
    weightedMean(updates, shares, async (update, start, end, into) => {
      const floats = await read(update, start, end);
      assert.equal(into!.length, end - start);
      into!.set(floats);
      return into!;
    }, filled),
  ]);
  assert.deepEqual(filled, own);
  const expected = given.reduce((sum, { values }, i) => sum + shares[i]! * values[size - 1]!, 0);
  assert.equal(own[size - 1], Math.fround(expected));
});

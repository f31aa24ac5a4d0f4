/** What holds for every mode. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../src/core/errors.ts";
import { seeded } from "../../src/core/prng.ts";
import { dirichletShares } from "../../src/partition/dirichlet_shares.ts";
import type { PartitionMode, PartitionOptions } from "../../src/partition/partition.ts";
import {
  type PartitionModeName,
  partitionModes,
  partitionRows,
} from "../../src/partition/registry.ts";
import { cutByShares, cutEvenly } from "../../src/partition/rows_by_class.ts";

/** Options under which a mode can work on small data. */
const OPTIONS: Partial<Record<PartitionModeName, PartitionOptions>> = {
  probability: { probability: [0.3, 0.3, 0.4] },
  fixed_samples: { samples: 6 },
  limit_label_unique: { samples: 3 },
  dirichlet: { alpha: 0.5, minSamples: 1 },
};

const dataOfThree = fc.record({
  labels: fc.nat(4).chain((most) => fc.array(fc.nat(most), { minLength: 3, maxLength: 200 })),
  seed: fc.nat(),
});

for (const [name, mode] of Object.entries(partitionModes) as [PartitionModeName, PartitionMode][]) {
  Deno.test(`${name} gives a row to a client at most once${mode.overlaps ? "" : ", and to one client"}, the same for the same seed`, () => {
    let divided = 0;
    fc.assert(fc.property(dataOfThree, ({ labels, seed }) => {
      const values = Int32Array.from(labels);
      const column = { names: ["0", "1", "2"], values: values.map((label) => label % 3) };
      const rows = { count: labels.length, labels: values, classes: 5, column };
      const plan = {
        mode: name,
        clients: name === "equal_label" ? 1 : 3,
        options: OPTIONS[name] ?? {},
        seed,
      };
      let parts;
      try {
        parts = partitionRows(rows, plan);
      } catch (error) {
        // Not all small data can be divided in every way.
        assert(error instanceof UsageError, String(error));
        return;
      }
      divided += 1;
      assert.equal(parts.length, plan.clients);
      for (const part of parts) {
        assert(part.length > 0);
        assert.equal(new Set(part).size, part.length);
        assert(part.every((row) => row >= 0 && row < labels.length));
      }
      const all = parts.flatMap((part) => [...part]);
      if (!mode.overlaps) assert.equal(new Set(all).size, all.length);
      assert.deepEqual(partitionRows(rows, plan), parts);
    }));
    assert(divided > 20, `only ${divided} of the data could be divided`);
  });
}

Deno.test("dirichlet and quantity_skew give every row to somebody, and at least the least", () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0.3, max: 50, noNaN: true }), (seed, alpha) => {
      const labels = Int32Array.from({ length: 400 }, (_, row) => row % 4);
      const rows = { count: 400, labels, classes: 4, column: null };
      for (const mode of ["dirichlet", "quantity_skew"] as const) {
        const parts = partitionRows(rows, {
          mode,
          clients: 5,
          options: { alpha, minSamples: 8 },
          seed,
        });
        assert.equal(parts.reduce((sum, { length }) => sum + length, 0), 400);
        assert(parts.every(({ length }) => length >= 8));
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("partitionRows() refuses more clients than rows, foreign options and missing classes", () => {
  const rows = { count: 3, labels: Int32Array.of(0, 1, 0), classes: 2, column: null };
  const plan = { mode: "uniform", clients: 4, options: {}, seed: 1 } as const;
  assert.throws(() => partitionRows(rows, plan), /Cannot divide 3 rows among 4 clients/);
  assert.throws(
    () => partitionRows(rows, { ...plan, clients: null }),
    /Cannot divide by uniform without --clients/,
  );
  assert.throws(
    () => partitionRows(rows, { ...plan, options: { minSamples: 2 } }),
    /Cannot use --min-samples with --mode uniform: it takes no options/,
  );
  assert.throws(
    () => partitionRows({ ...rows, labels: null }, { ...plan, mode: "shard", clients: 2 }),
    /not classes: choose --mode uniform, quantity_skew, column$/,
  );
});

Deno.test("dirichletShares() sum to 1 and have the mean and variance of the distribution", () => {
  const prng = seeded(7);
  for (const alpha of [0.3, 1, 4]) {
    let squares = 0;
    const draws = 4000;
    for (let draw = 0; draw < draws; draw++) {
      const shares = dirichletShares(5, alpha, prng);
      assert(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
      squares += shares.reduce((sum, share) => sum + (share - 0.2) ** 2, 0) / 5;
    }
    // Variance of a share: (1/n)(1 - 1/n) / (n alpha + 1), here 0.16 / (5 alpha + 1).
    const expected = 0.16 / (5 * alpha + 1);
    assert(Math.abs(squares / draws / expected - 1) < 0.06, `${alpha}: ${squares / draws}`);
  }
});

Deno.test("dirichletShares() of a tiny alpha give nearly all to one, and no NaN", () => {
  const shares = dirichletShares(10, 1e-4, seeded(3));
  assert(Math.max(...shares) > 0.999);
  assert(shares.every(Number.isFinite));
});

Deno.test("cutEvenly() and cutByShares() cut by hand", () => {
  const rows = Int32Array.of(0, 1, 2, 3, 4, 5, 6);
  assert.deepEqual(cutEvenly(rows, 3).map((cut) => [...cut]), [[0, 1, 2], [3, 4], [5, 6]]);
  assert.deepEqual(cutByShares(rows, [0.5, 0, 0.5, 0]).map((cut) => [...cut]), [
    [0, 1, 2],
    [],
    [3, 4, 5, 6],
    [],
  ]);
});

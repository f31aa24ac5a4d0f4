/** Each mode against counts worked out by hand, and what it refuses. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/core/errors.ts";
import { columnValues } from "../../src/partition/column_values.ts";
import type { PartitionOptions } from "../../src/partition/partition.ts";
import { type PartitionModeName, partitionRows } from "../../src/partition/registry.ts";

/** Class 0 in rows 0 to 5, class 1 in rows 6 to 9, class 2 in rows 10 to 19. */
const SIZES = [6, 4, 10];
const LABELS = Int32Array.from(SIZES.flatMap((size, label) => new Array(size).fill(label)));

function divide(mode: PartitionModeName, clients: number | null, options: PartitionOptions = {}) {
  const rows = { count: LABELS.length, labels: LABELS, classes: 3, column: null };
  return partitionRows(rows, { mode, clients, options, seed: 1 });
}

/** How many rows of each class every client has. */
function counts(parts: readonly Int32Array[]): number[][] {
  return parts.map((part) =>
    [0, 1, 2].map((label) => part.filter((r) => LABELS[r] === label).length)
  );
}

function refuses(pattern: RegExp, mode: PartitionModeName, clients: number | null, options = {}) {
  assert.throws(() => divide(mode, clients, options), (error) => {
    assert(error instanceof UsageError);
    assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("iid gives each client the next rows of every class, as many as of the smallest", () => {
  // Two of the four of class 1, and so of the others.
  assert.deepEqual(divide("iid", 2).map((part) => [...part]), [
    [0, 1, 6, 7, 10, 11],
    [2, 3, 8, 9, 12, 13],
  ]);
  refuses(/as the smallest class has 4 rows/, "iid", 5);
});

Deno.test("uniform and shard divide all rows into parts that differ by at most one", () => {
  for (const mode of ["uniform", "shard"] as const) {
    const parts = divide(mode, 3);
    assert.deepEqual([...parts.flatMap((part) => [...part])].sort((a, b) => a - b), [
      ...LABELS.keys(),
    ]);
    const sizes = parts.map(({ length }) => length);
    assert(Math.max(...sizes) - Math.min(...sizes) <= (mode === "uniform" ? 1 : 2), `${sizes}`);
  }
});

Deno.test("shard of one gives a client a piece of the rows sorted by label", () => {
  // 20 rows in 5 shards of 4: 4 of class 0; 2 of 0 and 2 of 1; 2 of 1 and 2 of 2; 4 of 2; 4 of 2.
  const dealt = counts(divide("shard", 5, { shardsPerClient: 1 })).map(String).sort();
  assert.deepEqual(dealt, ["0,0,4", "0,0,4", "0,2,2", "2,2,0", "4,0,0"]);
  refuses(/Cannot cut 20 rows into 24 shards/, "shard", 4, { shardsPerClient: 6 });
});

Deno.test("probability takes ceil(p * size) of every class in order, and its list counts clients", () => {
  // ceil(0.5 * 6) = 3, ceil(0.5 * 4) = 2, 5; then ceil(0.25 * 6) = 2, 1, ceil(2.5) = 3.
  const parts = divide("probability", null, { probability: [0.5, 0.25] });
  assert.deepEqual(counts(parts), [[3, 2, 5], [2, 1, 3]]);
  assert.deepEqual([...parts[1]!], [3, 4, 8, 15, 16, 17]);
  assert.deepEqual(counts(divide("probability", 1, { probability: [1] })), [SIZES]);
  refuses(/as they sum to 1.1: at most 1/, "probability", 2, { probability: [0.5, 0.6] });
  refuses(/with 1 numbers for 2 clients/, "probability", 2, { probability: [0.5] });
  refuses(/without --probability/, "probability", 2);
});

Deno.test("probability takes a list that rounding makes a little more than 1", () => {
  assert.equal(divide("probability", null, { probability: [0.7, 0.2, 0.1] }).length, 3);
});

Deno.test("equal_label makes one part of the first rows of each class", () => {
  assert.deepEqual(counts(divide("equal_label", null)), [[4, 4, 4]]);
  assert.deepEqual([...divide("equal_label", 1)[0]!].slice(4, 8), [6, 7, 8, 9]);
  refuses(/as it makes one part/, "equal_label", 2);
});

Deno.test("fixed_samples draws samples / classes rows of each class, without repeats", () => {
  const parts = divide("fixed_samples", 3, { samples: 11 });
  assert.deepEqual(counts(parts), [[3, 3, 3], [3, 3, 3], [3, 3, 3]]);
  refuses(
    /Cannot take 5 rows of each label for --samples 15 as label 1 has 4/,
    "fixed_samples",
    1,
    {
      samples: 15,
    },
  );
  refuses(/Cannot take --samples 2 as the data have 3 labels/, "fixed_samples", 1, { samples: 2 });
});

Deno.test("limit_label gives the ceiling of a fraction of each label that is named", () => {
  const parts = divide("limit_label", null, { labels: ["0,1", "2"], fraction: 0.25 });
  assert.deepEqual(counts(parts), [[2, 1, 0], [0, 0, 3]]);
});

Deno.test("limit_label draws as many labels as it shall", () => {
  for (const own of counts(divide("limit_label", 6, { labelsPerClient: 2, fraction: 0.5 }))) {
    assert.equal(own.filter((count) => count > 0).length, 2);
  }
});

Deno.test("limit_label_unique takes samples of each label, or what is left", () => {
  const parts = divide("limit_label_unique", 3, { labels: ["0,2", "0", "0,2"], samples: 4 });
  assert.deepEqual(counts(parts), [[4, 0, 4], [2, 0, 0], [0, 0, 4]]);
});

Deno.test("limit_label_unique names the client for whom nothing is left", () => {
  refuses(/client 2 would get no row/, "limit_label_unique", null, {
    labels: ["1", "1"],
    samples: 4,
  });
});

Deno.test("limit_label refuses labels that the data have not, repeated ones and missing lists", () => {
  refuses(
    /client 2 label "3" of --labels as the data have none of it: .* 0, 1, 2$/,
    "limit_label",
    2,
    {
      labels: ["0", "1,3"],
    },
  );
  refuses(/a label stands there twice/, "limit_label", null, { labels: ["1,1"] });
  refuses(/with 1 lists for 2 clients/, "limit_label", 2, { labels: ["1"] });
  refuses(/--labels-per-client 4 as the data have 3/, "limit_label", 2, { labelsPerClient: 4 });
  refuses(/leave one of them away/, "limit_label", 1, { labelsPerClient: 1, labels: ["1"] });
});

Deno.test("limit_label takes labels by their names, and by their numbers where no name is so", () => {
  const named = (names: readonly string[], labels: readonly string[]) => {
    const rows = { count: LABELS.length, labels: LABELS, classes: 3, names, column: null };
    const plan = { clients: null, options: { labels, fraction: 1 }, seed: 1 };
    return partitionRows(rows, { mode: "limit_label", ...plan });
  };
  assert.deepEqual(counts(named(["ash", "fir", "oak, red"], ["fir, ash", "oak, red", "2"])), [
    [6, 4, 0],
    [0, 0, 10],
    [0, 0, 10],
  ]);
  // The first class is called 1, so that the second has only its name.
  assert.deepEqual(counts(named(["1", "seven", "9"], ["1", "seven", "9"])), [
    [6, 0, 0],
    [0, 4, 0],
    [0, 0, 10],
  ]);
  assert.throws(() => named(["ash", "fir", "oak"], ["ash", "fir,elm"]), {
    name: "UsageError",
    message: 'Cannot give client 2 label "elm" of --labels as the data have none of it: ' +
      "their labels are ash, fir, oak",
  });
  assert.throws(() => named(["ash", "fir", "oak"], ["ash,0"]), /a label stands there twice/);
});

Deno.test("quantity_skew gives everybody the least, and all rows to somebody", () => {
  const parts = divide("quantity_skew", 4, { alpha: 0.1, minSamples: 3 });
  const sizes = parts.map(({ length }) => length);
  assert.equal(sizes.reduce((sum, size) => sum + size), 20);
  assert(Math.min(...sizes) >= 3, `${sizes}`);
  assert(Math.max(...sizes) > 6, `${sizes}`);
  refuses(/--min-samples 6 as there are 20 rows/, "quantity_skew", 4, { minSamples: 6 });
});

Deno.test("dirichlet refuses more rows a client than there are, and what no draw gives", () => {
  refuses(/each of 4 clients --min-samples 6 as there are 20/, "dirichlet", 4, { minSamples: 6 });
  refuses(/in 1000 draws: raise --alpha/, "dirichlet", 4, { alpha: 0.001, minSamples: 5 });
});

Deno.test("column keeps equal cells together, and deals them out to fewer clients", () => {
  const column = columnValues(["b", "a", "b", "c", "a", "b"]);
  assert.deepEqual(column.names, ["a", "b", "c"]);
  const rows = { count: 6, labels: null, classes: 0, column };
  const by = (clients: number | null) =>
    partitionRows(rows, { mode: "column", clients, options: {}, seed: 1 }).map((part) => [...part]);
  assert.deepEqual(by(null), [[1, 4], [0, 2, 5], [3]]);
  // The three of b to the first; a to the second, who then has least and gets c.
  assert.deepEqual(by(2), [[0, 2, 5], [1, 4, 3]]);
  assert.throws(() => by(4), /among 4 clients as the column has 3 values/);
  refuses(/without --column/, "column", 2);
});

Deno.test("columnValues() sorts numbers as numbers", () => {
  assert.deepEqual(columnValues(["10", "9", "10"]), {
    names: ["9", "10"],
    values: Int32Array.of(1, 0, 1),
  });
});

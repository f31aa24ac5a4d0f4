import fc from "fast-check";
import { oneHot, type RowsShape, sumRows, takeRows } from "../../src/kernels/mod.ts";
import {
  referenceOneHot,
  referenceSumRows,
  referenceTakeRows,
} from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

/** Row numbers, some of them outside the table. */
function rowNumbers(count: number, rows: number): Float32Array {
  const numbers = noise(count, 9).map((x) => Math.floor((x + 1) / 2 * rows));
  if (count > 3) numbers.set([-3, rows + 7, NaN, 1e20]);
  return numbers;
}

function check(shape: RowsShape): void {
  const { table: rows, width, batch } = shape;
  const table = noise(rows * width, 1), batches = noise(shape.numbers * width * batch, 2);
  const numbers = rowNumbers(shape.numbers * batch, rows);
  const taken = new Float64Array(batches.length), summed = new Float64Array(table.length);
  referenceTakeRows(shape, table, numbers, taken);
  referenceSumRows(shape, batches, numbers, summed);
  for (const arithmetic of arithmetics) {
    const after = runKernel(arithmetic, (module) => takeRows(module, shape), {
      ...{ table, numbers, to: batches },
    });
    assertClose(after.to, taken, 0);
    const sums = runKernel(arithmetic, (module) => sumRows(module, shape), {
      ...{ rows: batches, numbers, to: table },
    });
    assertClose(sums.to, summed);
  }
}

Deno.test("takeRows() and sumRows() agree with plain loops, numbers outside the table too", () => {
  for (const table of [1, 2, 13]) {
    for (const width of [1, 3, 8]) {
      for (const batch of [4, 32, 68]) check({ table, width, numbers: 3, batch });
    }
  }
});

Deno.test("takeRows() and sumRows() agree with plain loops on random extents", () => {
  const extent = (max: number) => fc.integer({ min: 1, max });
  const shapes = fc.record({
    ...{
      table: extent(20),
      width: extent(9),
      numbers: extent(6),
      batch: fc.constantFrom(4, 8, 20),
    },
  });
  fc.assert(fc.property(shapes, check), { numRuns: 40 });
});

Deno.test("oneHot() has a one at each number and none for those that are no index", () => {
  for (const [count, depth, batch] of [[1, 1, 4], [2, 10, 32], [3, 7, 68], [5, 3, 12]] as const) {
    const numbers = rowNumbers(count * batch, depth);
    numbers[0] = 0.5;
    const to = noise(count * depth * batch, 3);
    const expected = new Float64Array(to.length);
    referenceOneHot({ depth, batch }, numbers, expected);
    const shape = { numbers: count, depth, batch };
    for (const arithmetic of arithmetics) {
      const after = runKernel(arithmetic, (module) => oneHot(module, shape), { numbers, to });
      assertClose(after.to, expected, 0);
    }
  }
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { ModuleBuilder, reduce, type ReduceShape } from "../../src/kernels/mod.ts";
import { referenceReduce } from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

function check(shape: ReduceShape): void {
  const { sizes, reduced, batch, overBatch } = shape;
  const product = (numbers: readonly number[]) => numbers.reduce((a, b) => a * b, 1);
  const from = noise(product(sizes) * (batch ?? 1), 1);
  const kept = product(sizes.filter((_, axis) => !reduced[axis]));
  const to = noise(kept * (overBatch ? 1 : batch ?? 1), 2);
  const expected = Float64Array.from(to);
  referenceReduce(shape, from, expected);
  for (const arithmetic of arithmetics) {
    const after = runKernel(arithmetic, (module) => reduce(module, shape), { from, to });
    assertClose(after.to, expected);
  }
}

/** All ways to reduce some of the axes, with each function. */
function checkAll(sizes: readonly number[], batch: number | null): void {
  for (let bits = 0; bits < 2 ** sizes.length; bits++) {
    const reduced = sizes.map((_, axis) => (bits >> axis) % 2 === 1);
    for (const take of ["sum", "max", "min"] as const) {
      check({ take, sizes, reduced, batch, overBatch: false });
    }
    if (batch !== null) check({ take: "sum", sizes, reduced, batch, overBatch: true });
  }
}

Deno.test("reduce() takes sums and extremes over any axes of a batch", () => {
  for (const batch of [4, 8, 12, 32, 68]) checkAll([3, 1, 5], batch);
  checkAll([], 8);
  checkAll([2, 3, 4, 5], 4);
});

Deno.test("reduce() takes sums and extremes over any axes without batch", () => {
  checkAll([], null);
  checkAll([7], null);
  checkAll([3, 5, 2], null);
  for (const size of [4, 12, 24, 32, 80]) {
    checkAll([3, size], null);
    checkAll([size], null);
  }
});

Deno.test("reduce() lets a NaN through", () => {
  const from = Float32Array.of(1, 2, 3, NaN, 5, 6, 7, 8);
  for (const take of ["sum", "max", "min"] as const) {
    const shape = { take, sizes: [2], reduced: [true], batch: 4, overBatch: false };
    const { to } = runKernel("portable", (module) => reduce(module, shape), {
      from,
      to: new Float32Array(4),
    });
    assert.deepEqual([...to].map(Number.isNaN), [false, false, false, true]);
  }
});

Deno.test("reduce() refuses an extreme over the batch, and batches that are no multiple of 4", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const shape = { take: "max", sizes: [2], reduced: [true], batch: 4, overBatch: true } as const;
  assert.throws(() => reduce(module, shape), /"max" over the batch/);
  assert.throws(
    () => reduce(module, { ...shape, batch: 6, overBatch: false }),
    /batch of 6: pad it to a multiple of 4/,
  );
});

Deno.test("reduce() agrees with plain loops on random axes", () => {
  const axes = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 6 }), reduced: fc.boolean() }),
    {
      maxLength: 5,
    },
  );
  const kinds = fc.record({
    take: fc.constantFrom("sum" as const, "max" as const, "min" as const),
    batch: fc.constantFrom(null, 4, 12, 36),
    over: fc.boolean(),
  });
  fc.assert(
    fc.property(axes, kinds, (all, { take, batch, over }) => {
      const sizes = all.map(({ size }) => size), reduced = all.map(({ reduced }) => reduced);
      check({ take, sizes, reduced, batch, overBatch: over && take === "sum" && batch !== null });
    }),
    { numRuns: 80 },
  );
});

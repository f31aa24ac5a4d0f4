import fc from "fast-check";
import { copy, type CopyShape } from "../../src/kernels/mod.ts";
import { referenceCopy } from "../../src/kernels/reference/mod.ts";
import { assertClose, noise, runKernel } from "./run_kernel.ts";

/** Floats up to the last one that strides reach. */
function extent(sizes: readonly number[], strides: readonly number[], run: number): number {
  return sizes.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, run);
}

function check(shape: CopyShape): void {
  const { sizes, fromStrides, toStrides, run } = shape;
  const from = noise(extent(sizes, fromStrides, run), 1);
  const to = noise(extent(sizes, toStrides, run), 2);
  const expected = Float64Array.from(to);
  referenceCopy(shape, from, expected);
  const after = runKernel("portable", (module) => copy(module, shape), { from, to });
  assertClose(after.to, expected, 0);
}

/** Strides of axes one inside the other, each row longer by a gap. */
function nested(sizes: readonly number[], run: number, gap: number): number[] {
  const strides: number[] = [];
  let stride = run + gap;
  for (const size of sizes.toReversed()) {
    strides.unshift(stride);
    stride = stride * size + gap;
  }
  return strides;
}

Deno.test("copy() moves runs of each length and leaves what lies between them alone", () => {
  for (const run of [1, 2, 3, 4, 5, 31, 32, 64, 65, 68, 130]) {
    for (const gap of [0, 1, 5]) {
      const sizes = [3, 1, 2];
      check({ sizes, fromStrides: nested(sizes, run, 0), toStrides: nested(sizes, run, gap), run });
      check({ sizes, fromStrides: nested(sizes, run, gap), toStrides: nested(sizes, run, 0), run });
    }
  }
  check({ sizes: [], fromStrides: [], toStrides: [], run: 7 });
});

Deno.test("copy() turns axes", () => {
  check({ sizes: [3, 4, 5], fromStrides: [4, 12, 48], toStrides: [80, 20, 4], run: 4 });
  check({ sizes: [3, 4, 5], fromStrides: [1, 3, 12], toStrides: [20, 5, 1], run: 1 });
});

Deno.test("copy() repeats a source whose stride is 0", () => {
  check({ sizes: [3, 2], fromStrides: [0, 4], toStrides: [8, 4], run: 4 });
});

Deno.test("copy() agrees with plain loops on random axes", () => {
  const axes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });
  const small = (max: number, min = 0) => fc.integer({ min, max });
  fc.assert(
    fc.property(axes, small(70, 1), small(4), small(4), (sizes, run, fromGap, toGap) => {
      const fromStrides = nested(sizes, run, fromGap), toStrides = nested(sizes, run, toGap);
      check({ sizes, fromStrides, toStrides, run });
      // The same with the axes of the source in the opposite order.
      const turned = nested(sizes.toReversed(), run, fromGap).toReversed();
      check({ sizes, fromStrides: turned, toStrides, run });
    }),
    { numRuns: 60 },
  );
});

/** Kernels that sum over a batch give the same bits when it lies in blocks as when it lies in one. */
import assert from "node:assert/strict";
import {
  type Conv2dShape,
  conv2dWeightGradient,
  gemm,
  reduce,
  turnedWeightGradient,
  uniform,
  UNIFORM_STATE,
  type WeightRows,
} from "../../src/kernels/mod.ts";
import { arithmetics, noise, runKernel } from "./run_kernel.ts";

/** Floats between blocks that belong to none. */
const GAP = 20;

/** Rows of samples, [rows][batch], as [block][rows][samples of the block] with a gap behind each. */
function inBlocks(whole: Float32Array, batch: number, count: number) {
  const rows = whole.length / batch, own = batch / count;
  const stride = rows * own + GAP;
  const floats = new Float32Array(count * stride).fill(NaN);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < batch; n++) {
      floats[Math.floor(n / own) * stride + row * own + n % own] = whole[row * batch + n]!;
    }
  }
  return { floats, stride };
}

/** Batches and in how many blocks they lie. */
const BLOCKS = [[8, 2], [16, 4], [24, 2], [24, 3], [32, 2]] as const;

Deno.test("gemm() gives the same bits if the columns of A lie in blocks", () => {
  const [m, n] = [13, 10];
  for (const [k, count] of BLOCKS) {
    const a = noise(m * k, 1), b = noise(k * 12, 2), c = noise(m * n, 3);
    const { floats, stride } = inBlocks(a, k, count);
    const shape = { m, n, k, aDepth: 1, bDepth: 12, cRow: n, epilogue: { accumulate: true } };
    for (const arithmetic of arithmetics) {
      for (const pack of [false, true]) {
        const whole = runKernel(
          arithmetic,
          (module) => gemm(module, { ...shape, pack, aRow: k }),
          { a, b, c },
        );
        const aBlocks = { count, stride };
        const apart = runKernel(
          arithmetic,
          (module) => gemm(module, { ...shape, pack, aRow: k / count, aBlocks }),
          { a: floats, b, c },
        );
        assert.deepEqual(apart.c, whole.c, `${k} in ${count}`);
      }
    }
  }
});

Deno.test("reduce() gives the same bits of a sum over a batch in blocks", () => {
  const sizes = [3, 2, 5], reduced = [true, false, true];
  for (const [batch, count] of BLOCKS) {
    const from = noise(30 * batch, 1), to = new Float32Array(2);
    const { floats, stride } = inBlocks(from, batch, count);
    const shape = { take: "sum", sizes, reduced, batch, overBatch: true } as const;
    for (const arithmetic of arithmetics) {
      const whole = runKernel(arithmetic, (module) => reduce(module, shape), { from, to });
      const apart = runKernel(
        arithmetic,
        (module) => reduce(module, { ...shape, blocks: { count, stride } }),
        { from: floats, to },
      );
      assert.deepEqual(apart.to, whole.to, `${batch} in ${count}`);
    }
  }
});

Deno.test("conv2dWeightGradient() gives the same bits if the batch lies in blocks", () => {
  const extents = { inputHeight: 9, inputWidth: 8, inputChannels: 2, outputChannels: 7 };
  // Kernels of each width have code of their own.
  const widths = [[5, 5 * 4], [4, 6 * 5], [3, 7 * 6], [2, 8 * 7], [1, 9 * 8]] as const;
  for (const [kernel, outputs] of widths) {
    for (const [batch, count] of BLOCKS) {
      const shape: Conv2dShape = { ...extents, batch, kernelHeight: kernel, kernelWidth: kernel };
      const x = noise(72 * 2 * batch, 1), dy = noise(outputs * 7 * batch, 2);
      const dw = noise(kernel * kernel * 14, 3), scale = Float32Array.of(-0.25);
      const epilogue = { accumulate: true, scale: "operand" } as const;
      const input = inBlocks(x, batch, count), output = inBlocks(dy, batch, count);
      const blocks = { count, input: input.stride, output: output.stride };
      for (const arithmetic of arithmetics) {
        for (const byPanels of [false, true]) {
          const whole = runKernel(
            arithmetic,
            (module) => conv2dWeightGradient(module, { ...shape, byPanels }, epilogue),
            { x, dy, dw, scale },
            byPanels ? "joined" : undefined,
          );
          const apart = runKernel(
            arithmetic,
            (module) => conv2dWeightGradient(module, { ...shape, byPanels, blocks }, epilogue),
            { x: input.floats, dy: output.floats, dw, scale },
            byPanels ? "joined" : undefined,
          );
          assert.deepEqual(apart.dw, whole.dw, `${kernel} wide, ${batch} in ${count}`);
        }
      }
    }
  }
});

Deno.test("turnedWeightGradient() gives some rows of the weights the bits that they have among all", () => {
  const [batch, outputs] = [8, 21];
  const shape: Conv2dShape = {
    ...{ batch, inputHeight: 6, inputWidth: 7, inputChannels: 3, outputChannels: outputs },
    ...{ kernelHeight: 3, kernelWidth: 2, padTop: 1, padLeft: 1 },
  };
  const x = noise(42 * 3 * batch, 1), dy = noise(49 * outputs * batch, 2);
  const dw = noise(18 * outputs, 3);
  const gradient = (part?: WeightRows) =>
    runKernel(
      "fused",
      (module) => turnedWeightGradient(module, shape, { accumulate: true }, part),
      { x, dy, dw },
      "joined",
    ).dw;
  const all = gradient();
  for (const [first, count] of [[0, 6], [0, 4], [4, 2], [1, 1], [2, 3]] as const) {
    const some = gradient({ first, count });
    for (const [i, value] of some.entries()) {
      const row = Math.floor(i / outputs) % 6;
      const isOwn = row >= first && row < first + count;
      assert.equal(value, isOwn ? all[i] : dw[i], `${i} of ${[first, count]}`);
    }
  }
});

Deno.test("uniform() draws the same numbers for a batch in blocks, and leaves gaps alone", () => {
  const state = new Uint8Array(noise(UNIFORM_STATE, 4).buffer);
  for (const [batch, count] of BLOCKS) {
    const floats = 3 * batch;
    for (const alike of [false, true]) {
      const whole = runKernel(
        "portable",
        (module) => uniform(module, { floats, alike }),
        { state, to: new Float32Array(floats) },
      );
      const expected = inBlocks(whole.to, batch, count);
      const blocks = { count, row: batch / count, stride: expected.stride };
      const apart = runKernel(
        "portable",
        (module) => uniform(module, { floats, alike, blocks }),
        { state, to: new Float32Array(expected.floats.length).fill(NaN) },
      );
      assert.deepEqual(apart.to, expected.floats, `${batch} in ${count}`);
      assert.deepEqual(apart.state, whole.state);
    }
  }
});

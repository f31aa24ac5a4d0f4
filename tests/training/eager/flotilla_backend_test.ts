/** The backend's own kernels against tfjs's, on shapes that hurt. */
import assert from "node:assert/strict";
import * as core from "@tensorflow/tfjs-core";
import { seeded } from "../../../src/core/prng.ts";
import { startBackend } from "../../../src/training/backend.ts";
import { FLOTILLA_BACKEND } from "../../../src/training/eager/flotilla_backend.ts";

await startBackend();

type Arrays = readonly { readonly shape: number[]; readonly values: Float32Array }[];

/** Runs code on tensors of one backend; returns all numbers that come out. */
async function on(name: string, arrays: Arrays, code: (...x: core.Tensor[]) => core.Tensor[]) {
  await core.setBackend(name);
  const results = core.tidy(() =>
    code(...arrays.map(({ shape, values }) => core.tensor(values.slice(), shape)))
      .map((result) => ({ shape: result.shape, values: [...result.dataSync()] })) as never
  ) as unknown as { shape: number[]; values: number[] }[];
  await core.setBackend(FLOTILLA_BACKEND);
  return results;
}

async function agree(shapes: number[][], code: (...x: core.Tensor[]) => core.Tensor[]) {
  const prng = seeded(5);
  const arrays = shapes.map((shape) => {
    const size = shape.reduce((product, each) => product * each, 1);
    return { shape, values: Float32Array.from({ length: size }, () => prng() * 2 - 1) };
  });
  const [expected, actual] = [
    await on("cpu", arrays, code),
    await on(FLOTILLA_BACKEND, arrays, code),
  ];
  assert.equal(actual.length, expected.length);
  actual.forEach(({ shape, values }, i) => {
    assert.deepEqual(shape, expected[i]!.shape);
    values.forEach((value, j) => {
      const difference = Math.abs(value - expected[i]!.values[j]!);
      assert.ok(difference < 1e-4, `result ${i} at ${j}: ${value}, not ${expected[i]!.values[j]}`);
    });
  });
}

/** Result and gradients of all operands. */
function withGradients(code: (...x: core.Tensor[]) => core.Tensor) {
  return (...x: core.Tensor[]) => {
    const value = code(...x);
    return [
      value,
      ...core.grads((...own: core.Tensor[]) => core.sum(core.square(code(...own))))(x),
    ];
  };
}

for (const [batch, height, width] of [[1, 5, 7], [3, 8, 8], [4, 6, 5], [65, 4, 4]] as const) {
  for (const pad of ["same", "valid"] as const) {
    for (const stride of [1, 2, 3]) {
      Deno.test(`conv2d() and its gradients are tfjs's: ${[batch, height, width, pad, stride]}`, () =>
        agree(
          [[batch, height, width, 2], [3, 3, 2, 5]],
          withGradients((x, w) => core.conv2d(x as core.Tensor4D, w as core.Tensor4D, stride, pad)),
        ));
      Deno.test(`depthwiseConv2d() and its gradients are tfjs's: ${[batch, height, width, pad, stride]}`, () =>
        agree(
          [[batch, height, width, 3], [3, 3, 3, 2]],
          withGradients((x, w) =>
            core.depthwiseConv2d(x as core.Tensor4D, w as core.Tensor4D, stride, pad)
          ),
        ));
      Deno.test(`pools and their gradients are tfjs's: ${[batch, height, width, pad, stride]}`, () =>
        agree(
          [[batch, height, width, 3]],
          (x) => [
            ...withGradients((own) => core.maxPool(own as core.Tensor4D, 2, stride, pad))(x!),
            ...withGradients((own) => core.avgPool(own as core.Tensor4D, 2, stride, pad))(x!),
          ],
        ));
    }
  }
}

Deno.test("conv2d() with dilation is tfjs's", () =>
  agree(
    [[2, 9, 9, 2], [3, 3, 2, 3]],
    (x, w) => [core.conv2d(x as core.Tensor4D, w as core.Tensor4D, 1, "same", "NHWC", 2)],
  ));

Deno.test("fused convolutions with bias and every activation are tfjs's", async () => {
  for (const activation of ["linear", "relu", "relu6", "elu", "sigmoid"] as const) {
    await agree(
      [[3, 6, 6, 2], [3, 3, 2, 4], [4]],
      (x, filter, bias) => [core.fused.conv2d({
        ...{ x: x as core.Tensor4D, filter: filter as core.Tensor4D, bias: bias!, activation },
        ...{ strides: 1, pad: "same" },
      })],
    );
  }
});

for (const [m, k, n] of [[1, 1, 1], [3, 5, 7], [8, 16, 4], [33, 2, 65]] as const) {
  Deno.test(`matMul() is tfjs's, transposed or not: ${[m, k, n]}`, async () => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const shapes = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
        await agree(shapes, withGradients((a, b) => core.matMul(a!, b!, transposeA, transposeB)));
        const many = shapes.map((shape) => [3, ...shape]);
        await agree(many, (a, b) => [core.matMul(a!, b!, transposeA, transposeB)]);
      }
    }
  });
}

Deno.test("fused products with bias and every activation are tfjs's", async () => {
  for (const activation of ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"] as const) {
    await agree(
      [[5, 3], [3, 6], [6]],
      (a, b, bias) => [
        core.fused.matMul({
          ...{ a: a!, b: b!, bias: bias!, activation, leakyreluAlpha: 0.2 },
          ...{ transposeA: false, transposeB: false },
        }),
      ],
    );
  }
});

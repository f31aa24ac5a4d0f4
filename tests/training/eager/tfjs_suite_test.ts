/** tfjs's own tests of its operations, on the backend: its kernels, and those it took from tfjs. */
import assert from "node:assert/strict";
import * as core from "@tensorflow/tfjs-core";
import { startBackend } from "../../../src/training/backend.ts";
import { FLOTILLA_BACKEND } from "../../../src/training/eager/flotilla_backend.ts";
import { publishedFiles, publishedTests } from "./tfjs_suite.ts";

/** Files that test what the backend computes itself, with the number of their tests. */
const OWN: Readonly<Record<string, number>> = {
  "avg_pool_test.js": 31,
  "basic_lstm_cell_test.js": 8,
  "conv1d_test.js": 22,
  "conv2d_separable_test.js": 21,
  "conv2d_test.js": 44,
  "conv2d_transpose_test.js": 21,
  "depthwise_conv2d_test.js": 41,
  "einsum_test.js": 31,
  "fused/fused_conv2d_test.js": 54,
  "fused/fused_depthwise_conv2d_test.js": 13,
  "fused/fused_mat_mul_test.js": 21,
  "linalg/gram_schmidt_test.js": 7,
  "linalg/qr_test.js": 12,
  "mat_mul_test.js": 72,
  "max_pool_test.js": 42,
  "multi_rnn_cell_test.js": 4,
  "pool_test.js": 30,
};

/** Files that do not run, by the reason. */
const SKIPPED_FILES: Readonly<Record<string, readonly string[]>> = {
  "tests functions that no backend takes part in, and that only tfjs's own files can import": [
    "axis_util_test.js",
    "concat_util_test.js",
    "conv_util_test.js",
    "dropout_util_test.js",
    "rand_test.js",
    "selu_test.js",
    "slice_util_test.js",
  ],
  "draws with the host's generator and judges the distribution by a function of such a file": [
    "random_normal_test.js",
    "random_standard_normal_test.js",
    "truncated_normal_test.js",
  ],
  "needs a canvas or an image of a browser": [
    "from_pixels_test.js",
    "image/flip_left_right_test.js",
    "image/threshold_test.js",
    "to_pixels_test.js",
  ],
  "tests a kernel of ragged tensors, which no layer has, with promises that Jasmine looks into": [
    "ragged_gather_test.js",
    "ragged_range_test.js",
  ],
};

/** Tests that do not run, by a part of their name, and why. */
const SKIPPED_TESTS: Readonly<Record<string, string>> = {
  "slice  shallow slicing delayed": "counts all tensors there are, of which other files keep some",
};

await startBackend();

/** Runs all tests of a file; returns the messages of those that fail. */
async function failuresOf(file: string): Promise<string[]> {
  await core.setBackend(FLOTILLA_BACKEND);
  const failures: string[] = [];
  for (const { name, run } of await publishedTests(file)) {
    if (Object.keys(SKIPPED_TESTS).some((part) => name.includes(part))) continue;
    await run().catch((error) => failures.push(`${file}, ${name}: ${error.message}`));
  }
  return failures;
}

for (const [file, count] of Object.entries(OWN)) {
  Deno.test(`the backend passes tfjs's ${count} tests of ${file}`, async () => {
    assert.equal((await publishedTests(file)).length, count);
    assert.deepEqual(await failuresOf(file), []);
  });
}

Deno.test("the backend passes tfjs's tests of all other operations", async () => {
  const others = new Set(publishedFiles());
  for (const file of [...Object.keys(OWN), ...Object.values(SKIPPED_FILES).flat()]) {
    assert.ok(others.delete(file), file);
  }
  const failures: string[] = [];
  for (const file of others) failures.push(...await failuresOf(file));
  assert.deepEqual(failures, []);
});

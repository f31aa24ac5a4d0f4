/** tfjs's own tests of everything that runs in kernels of the backend, on the backend. */
import assert from "node:assert/strict";
import * as core from "@tensorflow/tfjs-core";
import { startBackend } from "../../../src/training/backend.ts";
import { FLOTILLA_BACKEND } from "../../../src/training/eager/flotilla_backend.ts";
import { publishedTests } from "./tfjs_suite.ts";

/** Files of tfjs-core's `dist/ops`, with the number of tests that each holds. */
const FILES: Readonly<Record<string, number>> = {
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

/** Tests that do not run, by file and name, and why. */
const SKIPPED: Readonly<Record<string, Readonly<Record<string, string>>>> = {};

await startBackend();

for (const [file, count] of Object.entries(FILES)) {
  Deno.test(`the backend passes tfjs's ${count} tests of ${file}`, async () => {
    await core.setBackend(FLOTILLA_BACKEND);
    const tests = await publishedTests(file);
    assert.equal(tests.length, count);
    const skipped = SKIPPED[file] ?? {};
    const names = tests.map(({ name }) => name);
    for (const name of Object.keys(skipped)) assert.ok(names.includes(name), name);
    const failures: string[] = [];
    for (const { name, run } of tests) {
      if (name in skipped) continue;
      await run().catch((error) => failures.push(`${name}: ${error.message}`));
    }
    assert.deepEqual(failures, []);
  });
}

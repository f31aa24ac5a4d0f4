import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import { uniform, UNIFORM_STATE, type UniformShape } from "../../src/kernels/mod.ts";
import { referenceUniform } from "../../src/kernels/reference/mod.ts";
import { arithmetics, runKernel } from "./run_kernel.ts";

function newState(seed: number): Uint32Array {
  const random = seeded(seed);
  return Uint32Array.from({ length: UNIFORM_STATE }, () => random() * 2 ** 32);
}

/** Fills floats; returns them and the generators' state afterwards. */
function draw(shape: UniformShape, state: Uint32Array) {
  const results = arithmetics.map((arithmetic) => {
    const after = runKernel(arithmetic, (module) => uniform(module, shape), {
      state: new Uint8Array(state.buffer),
      to: new Float32Array(Math.ceil(shape.floats / 4) * 4),
    });
    return { to: after.to, state: [...new Uint32Array(after.state.buffer)] };
  });
  assert.deepEqual(results[1], results[0]);
  return results[0]!;
}

Deno.test("uniform() draws what xoshiro128** does in each lane, and goes on where it stopped", () => {
  for (const floats of [1, 4, 6, 400]) {
    for (const alike of [false, true]) {
      const state = newState(floats);
      const { to, state: after } = draw({ floats, alike }, state);
      const expected = new Float64Array(to.length);
      referenceUniform({ floats, alike }, state, expected);
      assert.deepEqual([...to], [...expected]);
      assert.deepEqual(after, [...state]);
    }
  }
});

Deno.test("uniform() gives the first numbers of the published generator", () => {
  // xoshiro128** of the state 1, 2, 3, 4 gives 11520, 0, 5927040, 70819200 first.
  const state = Uint32Array.from({ length: UNIFORM_STATE }, (_, i) => 1 + Math.floor(i / 4));
  const { to } = draw({ floats: 16, alike: false }, state);
  const expected = [11520, 0, 5927040, 70819200].map((bits) => (bits >>> 8) / 2 ** 24);
  assert.deepEqual([...to].filter((_, i) => i % 4 === 2), expected);
});

Deno.test("uniform() is spread evenly over [0, 1), each number its own", () => {
  const count = 40_000;
  const { to } = draw({ floats: count, alike: false }, newState(3));
  const tenths = new Array<number>(10).fill(0);
  for (const value of to) {
    assert.ok(value >= 0 && value < 1);
    tenths[Math.floor(value * 10)]! += 1;
  }
  // 4,000 in each tenth; five deviations are 300.
  for (const inTenth of tenths) assert.ok(Math.abs(inTenth - 4000) < 300, String(tenths));
  assert.ok(new Set(to).size > 0.99 * count);
});

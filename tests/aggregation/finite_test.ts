import assert from "node:assert/strict";
import { areFinite } from "../../src/aggregation/finite.ts";

Deno.test("areFinite() finds NaN and Inf at each place of pieces of any size and address", () => {
  for (const floats of [1, 5, 16_368, 16_369, 40_000]) {
    const memory = new Uint8Array(floats * 4 + 1);
    // From an odd address on.
    const bytes = memory.subarray(1);
    const view = new DataView(memory.buffer, 1);
    assert.ok(areFinite(bytes));
    for (const at of new Set([0, floats >> 1, floats - 1])) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        view.setFloat32(at * 4, bad, true);
        assert.equal(areFinite(bytes), false, `${bad} at ${at} of ${floats}`);
      }
      view.setFloat32(at * 4, -3.4028234e38, true);
      assert.ok(areFinite(bytes));
    }
  }
  assert.ok(areFinite(new Uint8Array(0)));
});

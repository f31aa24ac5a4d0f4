import fc from "fast-check";
import { loadBatch, type LoadShape } from "../../src/kernels/mod.ts";
import { referenceLoadBatch } from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

function itemsOf({ type, batch, itemBytes }: LoadShape): Uint8Array {
  const numbers = noise(batch * itemBytes, 1);
  if (type === "u8") return Uint8Array.from(numbers, (x) => Math.floor((x + 1) * 128));
  const words = batch * itemBytes / 4;
  const array = type === "f32"
    ? numbers.slice(0, words)
    : Int32Array.from({ length: words }, (_, i) => Math.floor(numbers[i]! * 100));
  return new Uint8Array(array.buffer);
}

function check(shape: LoadShape): void {
  const { features, batch } = shape;
  const items = itemsOf(shape);
  const to = noise(features * batch, 2);
  const expected = new Float64Array(to.length);
  referenceLoadBatch(shape, items, expected);
  for (const arithmetic of arithmetics) {
    const after = runKernel(arithmetic, (module) => loadBatch(module, shape), { items, to });
    assertClose(after.to, expected, 1e-6);
  }
}

/** Bytes of an item in whole words. */
function bytesOf(type: LoadShape["type"], features: number): number {
  return type === "u8" ? Math.ceil(features / 4) * 4 : features * 4;
}

Deno.test("loadBatch() takes up items of each type and of any length, and clears missing samples", () => {
  for (const type of ["u8", "i32", "f32"] as const) {
    for (const features of [1, 3, 4, 7, 12, 27]) {
      for (const [samples, batch] of [[1, 4], [4, 4], [5, 8], [30, 32], [65, 68]] as const) {
        const itemBytes = bytesOf(type, features);
        check({ type, features, samples, batch, itemBytes, factors: [1 / 255], offsets: [0] });
      }
    }
  }
});

Deno.test("loadBatch() scales each channel by its own numbers", () => {
  const factors = [0.5, 2, 1], offsets = [-1, 0, 0.25];
  for (const type of ["u8", "i32", "f32"] as const) {
    for (const features of [3, 9, 12, 48]) {
      const itemBytes = bytesOf(type, features) + 4;
      check({ type, features, samples: 6, batch: 8, itemBytes, factors, offsets });
    }
  }
});

Deno.test("loadBatch() agrees with plain loops on random extents", () => {
  const shapes = fc.record({
    type: fc.constantFrom("u8" as const, "i32" as const, "f32" as const),
    channels: fc.integer({ min: 1, max: 5 }),
    pixels: fc.integer({ min: 1, max: 12 }),
    samples: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(shapes, ({ type, channels, pixels, samples }) => {
      const features = channels * pixels;
      check({
        ...{ type, features, samples, batch: Math.ceil(samples / 4) * 4 },
        itemBytes: bytesOf(type, features),
        factors: [...noise(channels, 3)],
        offsets: [...noise(channels, 4)],
      });
    }),
    { numRuns: 60 },
  );
});

/** Plain twins of the kernels that only move numbers: copies and batches taken up. */
import type { CopyShape } from "../copy.ts";
import type { LoadShape } from "../load_batch.ts";
import { indicesOf } from "./expression.ts";

type Floats = Float32Array | Float64Array;

/** As `copy`; changes `to`. */
export function referenceCopy(
  { sizes, fromStrides, toStrides, run }: CopyShape,
  from: Floats,
  to: Floats,
): void {
  const count = sizes.reduce((product, size) => product * size, 1);
  for (let block = 0; block < count; block++) {
    const indices = indicesOf(block, sizes);
    const place = (strides: readonly number[]) =>
      indices.reduce((sum, index, axis) => sum + index * strides[axis]!, 0);
    for (let i = 0; i < run; i++) to[place(toStrides) + i] = from[place(fromStrides) + i]!;
  }
}

/** As `loadBatch`; changes `to`. */
export function referenceLoadBatch(
  { type, features, samples, batch, itemBytes, factors, offsets }: LoadShape,
  items: Uint8Array,
  to: Floats,
): void {
  const view = new DataView(items.buffer, items.byteOffset, items.byteLength);
  const read = {
    u8: (sample: number, i: number) => view.getUint8(sample * itemBytes + i),
    i32: (sample: number, i: number) => view.getInt32(sample * itemBytes + i * 4, true),
    f32: (sample: number, i: number) => view.getFloat32(sample * itemBytes + i * 4, true),
  }[type];
  for (let i = 0; i < features; i++) {
    const channel = i % factors.length;
    for (let sample = 0; sample < batch; sample++) {
      const value = sample < samples ? read(sample, i) * factors[channel]! + offsets[channel]! : 0;
      to[i * batch + sample] = value;
    }
  }
}

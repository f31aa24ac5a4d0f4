/** Copies items out of a dataset as the model's input: bytes scaled to [0, 1], then normalised. */
import { type Dataset, elements, type Normalisation } from "./dataset.ts";

/** Fills a batch's inputs from the items with these indices. */
export type FillBatch = (indices: Int32Array, inputs: Float32Array) => void;

/**
 * Prepares the copying of batches from one dataset.
 *
 * @returns a function that writes item `indices[i]` to the i-th row of `inputs`
 */
export function batchFiller(dataset: Dataset): FillBatch {
  const { items, shape, normalise } = dataset;
  const size = elements(shape);
  const scale = items instanceof Uint8Array ? 1 / 255 : 1;
  const channels = shape.at(-1) ?? 1;
  const affine = normalise === null ? null : channelAffine(normalise, scale, channels);
  return function fillBatch(indices, inputs) {
    let out = 0;
    for (const index of indices) {
      const start = index * size;
      if (affine === null) {
        for (let i = start; i < start + size; i++) inputs[out++] = items[i]! * scale;
      } else {
        for (let i = start; i < start + size; i++) {
          const channel = i % channels;
          inputs[out++] = items[i]! * affine.factor[channel]! + affine.offset[channel]!;
        }
      }
    }
  };
}

/** (x * scale - mean) / std as one factor and one offset for each channel. */
export function channelAffine({ mean, std }: Normalisation, scale: number, channels: number) {
  const factor = new Float64Array(channels);
  const offset = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const deviation = typeof std === "number" ? std : std[channel]!;
    factor[channel] = scale / deviation;
    offset[channel] = -(typeof mean === "number" ? mean : mean[channel]!) / deviation;
  }
  return { factor, offset };
}

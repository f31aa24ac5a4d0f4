/** Copies items out of a dataset as the model's input: bytes scaled to [0, 1], then normalised. */
import {
  type Dataset,
  elements,
  type Normalisation,
  type NumberArray,
  type NumberType,
  rowsOf,
} from "./dataset.ts";

/** Fills a batch's inputs from the items with these indices. */
export type FillBatch = (indices: Int32Array, inputs: Float32Array) => void;

/**
 * Prepares the copying of batches from one dataset.
 *
 * @returns a function that writes item `indices[i]` to the i-th row of `inputs`
 */
export function batchFiller(dataset: Dataset): FillBatch {
  const { shape, normalise } = dataset;
  const rows = rowsOf(dataset);
  const size = elements(shape);
  const scale = rows.type === "u8" ? 1 / 255 : 1;
  const channels = shape.at(-1) ?? 1;
  const affine = normalise === null ? null : channelAffine(normalise, scale, channels);
  let stored = arrayOf(rows.type, 0);
  return function fillBatch(indices, inputs) {
    const length = indices.length * size;
    if (stored.length < length) stored = arrayOf(rows.type, length);
    rows.read(indices, new Uint8Array(stored.buffer), size * stored.BYTES_PER_ELEMENT);
    if (affine === null) {
      for (let i = 0; i < length; i++) inputs[i] = stored[i]! * scale;
    } else {
      for (let i = 0; i < length; i++) {
        const channel = i % channels;
        inputs[i] = stored[i]! * affine.factor[channel]! + affine.offset[channel]!;
      }
    }
  };
}

function arrayOf(type: NumberType, length: number): NumberArray {
  switch (type) {
    case "u8":
      return new Uint8Array(length);
    case "i32":
      return new Int32Array(length);
    case "f32":
      return new Float32Array(length);
  }
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

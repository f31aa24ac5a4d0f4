/**
 * The layers model that stock tfjs opens with `tf.loadLayersModel`: `model.json` and `weights.bin`.
 * Plain data, made without tfjs, so that the leader need not load it.
 */
import type { JsonObject } from "../core/json.ts";
import type { Weights } from "../core/weights.ts";

/** File beside `model.json` that holds the weights. */
export const WEIGHTS_FILE = "weights.bin";

/** The two files of a saved model. */
export interface TfjsModelFiles {
  /** Contents of `model.json`. */
  readonly json: JsonObject;
  /** Contents of `weights.bin`: a view of the weights, not a copy. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

/**
 * Makes a saved layers model.
 *
 * @param topology of `InitialModel`, whose layer names are those of the weights' layout
 * @param weights with the layout of `InitialModel`
 */
export function tfjsModelFiles(topology: JsonObject, weights: Weights): TfjsModelFiles {
  const { layout, values } = weights;
  return {
    json: {
      format: "layers-model",
      generatedBy: "Flotilla",
      convertedBy: null,
      modelTopology: topology,
      weightsManifest: [{
        paths: [WEIGHTS_FILE],
        weights: layout.map(({ name, shape }) => ({ name, shape, dtype: "float32" })),
      }],
    },
    weights: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

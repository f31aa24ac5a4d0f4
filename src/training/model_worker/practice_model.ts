/**
 * A small model that a model worker builds and records before it is asked for one. The engine compiles
 * a function of tfjs or of ours when it is first called, which takes longer than its work.
 */
import type { PackageHash } from "../../core/ids.ts";
import type { ModelSource } from "../trainer.ts";

const CODE = `export default function model({ tf }) {
  const { conv2d, maxPooling2d, flatten, dense } = tf.layers;
  return tf.sequential({
    layers: [
      conv2d({ inputShape: [8, 8, 1], filters: 2, kernelSize: 3, activation: "relu" }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dense({ units: 4, activation: "relu" }),
      dense({ units: 2, activation: "softmax" }),
    ],
  });
}`;

/** The model. */
export const PRACTICE_MODEL: ModelSource = {
  modelPackage: {
    id: "practice",
    // That no package has.
    hash: "" as PackageHash,
    files: { "model.js": new TextEncoder().encode(CODE) },
  },
  args: {},
};

/** The step of it that is recorded. */
export const PRACTICE_STEP = {
  settings: {
    loss: "crossentropy",
    optimizer: { name: "sgd", args: {} },
  },
  size: 8,
} as const;

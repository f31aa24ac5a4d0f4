/** Spares models the drawing of initial weights that others will be put in place of. */
import { tf } from "./backend.ts";

/** A layer as tfjs makes its weights. */
interface WeightMaker {
  addWeight(this: FastMaker, ...args: unknown[]): unknown;
}

interface FastMaker {
  /** Weights begin as zeros, as when tfjs loads a model with its weights. */
  fastWeightInitDuringBuild: boolean;
}

/**
 * Runs what builds layers whose weights may begin as zeros: to draw them takes milliseconds, and
 * seconds for an orthogonal matrix.
 */
export async function withUnsetWeights<T>(build: () => Promise<T>): Promise<T> {
  const maker = tf.layers.Layer.prototype as unknown as WeightMaker;
  const { addWeight } = maker;
  maker.addWeight = function (...args) {
    this.fastWeightInitDuringBuild = true;
    return addWeight.apply(this, args);
  };
  try {
    return await build();
  } finally {
    maker.addWeight = addWeight;
  }
}

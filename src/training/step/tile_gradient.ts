/**
 * The gradient of a repetition as sums. tfjs adds up slices, one for each repetition, which for a
 * repetition over the batch would take each sample out by itself.
 */
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";
import { core } from "../tfjs.ts";

const summed: GradConfig = {
  kernelName: "Tile",
  inputsToSave: ["x"],
  gradFunc(dy, [x], attributes) {
    const reps = (attributes as unknown as { readonly reps: readonly number[] }).reps;
    return {
      x: () => {
        let sum = dy as Tensor;
        x!.shape.forEach((size, axis) => {
          if (reps[axis] === 1) return;
          const apart = [
            ...sum.shape.slice(0, axis),
            reps[axis]!,
            size,
            ...sum.shape.slice(axis + 1),
          ];
          sum = size === 1 ? core.sum(sum, axis, true) : core.sum(core.reshape(sum, apart), axis);
        });
        return sum;
      },
    };
  },
};

/** Runs code while gradients of repetitions are sums. */
export function withTileGradient<T>(code: () => T): T {
  const usual = core.getGradient("Tile");
  core.unregisterGradient("Tile");
  core.registerGradient(summed);
  try {
    return code();
  } finally {
    core.unregisterGradient("Tile");
    core.registerGradient(usual);
  }
}

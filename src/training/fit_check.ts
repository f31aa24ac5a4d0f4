/** Checks before any training that a model and a dataset belong together. */
import { ModelError } from "../core/errors.ts";
import type { Dataset } from "../data/dataset.ts";

type Shape = readonly (number | null)[];

/** What of a model has to fit a dataset; null is a length that it leaves open. */
export interface ModelEnds {
  /** Shape of one item that it takes. */
  readonly input: Shape;
  /** Name of the layer that the data meet first. */
  readonly inputLayer: string;
  /** Shape of one item that it gives. */
  readonly output: Shape;
  /** Name of the layer that gives it. */
  readonly outputLayer: string;
  /** The loss on what it gives, and whether that asks for class numbers. */
  readonly loss: { readonly name: string; readonly takesClasses: boolean };
}

/**
 * Checks that items fit the first layer, and labels the last one.
 *
 * @throws {ModelError} naming the layer and both shapes
 */
export function checkFit(
  { input, inputLayer, output, outputLayer, loss }: ModelEnds,
  dataset: Dataset,
): void {
  if (!fits(input, dataset.shape)) {
    throw new ModelError(
      `Cannot feed dataset ${dataset.name} to layer "${inputLayer}" ` +
        `as its items have shape [${dataset.shape}]: the layer takes [${input.map(shown)}]`,
    );
  }
  const wanted = targetShape(dataset, output, loss);
  if (!fits(output, wanted.shape)) {
    throw new ModelError(
      `Cannot train layer "${outputLayer}" of output shape [${output.map(shown)}] ` +
        `on dataset ${dataset.name}: ${wanted.reason} [${wanted.shape}]`,
    );
  }
}

function targetShape(
  { name, classes, classesDeclared, targetShape }: Dataset,
  output: Shape,
  { name: loss, takesClasses }: ModelEnds["loss"],
): { shape: readonly number[]; reason: string } {
  if (classes === null) {
    if (takesClasses) {
      throw new ModelError(
        `Cannot use loss "${loss}" on dataset ${name}: its labels are no class numbers`,
      );
    }
    return {
      shape: targetShape.length === 0 ? [1] : targetShape,
      reason: "its targets have shape",
    };
  }
  const units = output.at(-1) ?? null;
  if (!takesClasses && units === 1 && classes <= 2) {
    return { shape: [1], reason: "its labels are 0 and 1, shape" };
  }
  // A client need not hold all classes, so without a declared number more outputs are in order.
  const enough = !classesDeclared && units !== null && units >= classes;
  return {
    shape: [enough ? units : classes],
    reason: `${classes} classes need shape`,
  };
}

function fits(open: Shape, shape: readonly number[]): boolean {
  return open.length === shape.length &&
    open.every((size, axis) => size === null || size === shape[axis]);
}

function shown(size: number | null): string {
  return size === null ? "any" : String(size);
}

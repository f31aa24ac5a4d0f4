/** Checks before any training that a model and a dataset belong together. */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { ModelError } from "../core/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import type { ModelDescription } from "./layout_names.ts";
import { lossOf } from "./losses.ts";

/**
 * Checks that items fit the first layer, and labels the last one.
 *
 * @throws {ModelError} naming the layer and both shapes
 */
export function checkFit(
  model: LayersModel,
  { nameOf }: ModelDescription,
  dataset: Dataset,
  lossName: string,
): void {
  const loss = lossOf(lossName);
  const input = itemShapeOf(model.inputs[0]!.shape);
  if (!fits(input, dataset.shape)) {
    throw new ModelError(
      `Cannot feed dataset ${dataset.name} to layer "${nameOf(inputLayer(model))}" ` +
        `as its items have shape [${dataset.shape}]: the layer takes [${input.map(shown)}]`,
    );
  }
  const output = itemShapeOf(model.outputs[0]!.shape);
  const wanted = targetShape(dataset, output, loss.takesClasses, lossName);
  if (!fits(output, wanted.shape)) {
    const layer = nameOf(model.outputs[0]!.sourceLayer);
    throw new ModelError(
      `Cannot train layer "${layer}" of output shape [${output.map(shown)}] ` +
        `on dataset ${dataset.name}: ${wanted.reason} [${wanted.shape}]`,
    );
  }
}

/** The layer that the data meet first: tfjs's input layer only holds their place. */
function inputLayer(model: LayersModel): { readonly name: string } {
  return model.layers.find((layer) => layer.getClassName() !== "InputLayer") ?? model.layers[0]!;
}

function targetShape(
  { name, classes, classesDeclared, targetShape }: Dataset,
  output: readonly (number | null)[],
  takesClasses: boolean,
  loss: string,
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

function itemShapeOf(shape: readonly (number | null)[]): readonly (number | null)[] {
  return shape.slice(1);
}

function fits(open: readonly (number | null)[], shape: readonly number[]): boolean {
  return open.length === shape.length &&
    open.every((size, axis) => size === null || size === shape[axis]);
}

function shown(size: number | null): string {
  return size === null ? "any" : String(size);
}

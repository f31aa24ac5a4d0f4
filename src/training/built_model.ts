/** A model ready for work: built, described, and able to take and give flat weights. */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { tf } from "./backend.ts";
import type { ModelEnds } from "./fit_check.ts";
import { lossOf } from "./losses.ts";
import { describeModel, type ModelDescription } from "./layout_names.ts";

/** A model and what the training must know of it. */
export interface BuiltModel {
  readonly model: LayersModel;
  readonly description: ModelDescription;
  /** Shape of one output item. */
  readonly outputShape: readonly number[];
  /** The last layer is a softmax, so that outputs are probabilities. */
  readonly isProbability: boolean;
}

/** @throws {ModelError} two weights have one name */
export function describeBuilt(model: LayersModel): BuiltModel {
  const last = model.outputs[0]!.sourceLayer;
  return {
    model,
    description: describeModel(model),
    outputShape: model.outputs[0]!.shape.slice(1) as number[],
    isProbability: last.getClassName() === "Softmax" ||
      last.getConfig()["activation"] === "softmax",
  };
}

/**
 * What of it has to fit a dataset.
 *
 * @throws {ModelError} unknown loss
 */
export function endsOf(
  { model, description: { nameOf } }: BuiltModel,
  loss: string,
): ModelEnds {
  // tfjs's input layer only holds the place of the data.
  const first = model.layers.find((layer) => layer.getClassName() !== "InputLayer");
  return {
    input: model.inputs[0]!.shape.slice(1),
    inputLayer: nameOf(first ?? model.layers[0]!),
    output: model.outputs[0]!.shape.slice(1),
    outputLayer: nameOf(model.outputs[0]!.sourceLayer),
    loss: { name: loss, takesClasses: lossOf(loss).takesClasses },
  };
}

/** Overwrites a model's weights with flat ones, in the order of its layout. */
export function setWeights({ model, description }: BuiltModel, values: Float32Array): void {
  description.layout.forEach(({ shape, offset, size }, index) => {
    tf.tidy(() => {
      const own = values.subarray(offset, offset + size);
      variableOf(model.weights[index]!).assign(tf.tensor(own, [...shape]));
    });
  });
}

/** Writes a model's weights, in the order of its layout. */
export async function copyWeights(
  { model, description }: BuiltModel,
  into: Float32Array,
): Promise<void> {
  // All are asked for before the first is awaited: a GPU answers once for many.
  await Promise.all(description.layout.map(async ({ offset }, index) => {
    into.set(await variableOf(model.weights[index]!).data() as Float32Array, offset);
  }));
}

/** Variables that training changes. */
export function trainableVariables({ model }: BuiltModel): Variable[] {
  return model.trainableWeights.map(variableOf);
}

/** The variable of a weight: tfjs keeps it protected, and reading it would give a plain tensor. */
export function variableOf(weight: { read(): Tensor }): Variable {
  return (weight as unknown as { val: Variable }).val;
}

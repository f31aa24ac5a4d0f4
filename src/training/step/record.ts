/**
 * Records one step of a model: forward and loss, and for training also gradients and the
 * optimizer's updates.
 */
import type { Scalar, Tensor, Variable } from "@tensorflow/tfjs-core";
import type { JsonObject } from "../../core/json.ts";
import { tf } from "../backend.ts";
import type { BatchShape } from "../batch_shape.ts";
import { type BuiltModel, trainableVariables, variableOf } from "../built_model.ts";
import type { LearnerSettings } from "../learner.ts";
import { lossOf } from "../losses.ts";
import type { StepGraph, Update } from "./graph.ts";
import { NotRecordable } from "./not_recordable.ts";
import { appendOptimizer } from "./optimizer_updates.ts";
import type { Mode, RecordedStep } from "./program.ts";
import { Recording, recordWith, tensorOf } from "./recorder.ts";
import { batched, materialised, plain } from "./symbol.ts";
import { core } from "../tfjs.ts";

/** What is trained and how. */
export interface StepSettings {
  readonly loss: string;
  readonly optimizer: string;
  readonly optimizerArgs: JsonObject;
  /** Weight of FedProx's term. @default {0} */
  readonly proximalMu?: number;
}

/**
 * Records a model's step of training or of evaluation. The model is left as it was.
 *
 * @throws {NotRecordable} the step cannot be recorded
 * @throws {ModelError} unknown loss or optimizer
 */
export function record(
  built: BuiltModel,
  { loss, optimizer }: LearnerSettings,
  mode: Mode,
  { samples, padded }: BatchShape,
): RecordedStep {
  if (mode === "evaluate") {
    const graph = recordEvaluation(built, loss, samples, padded);
    const variables = built.description.layout.map(({ shape }) => shape);
    return { graph, variables, anchors: [], scalars: [] };
  }
  if (optimizer === null) throw new TypeError("Cannot train without an optimizer");
  const { name, args, proximalMu = 0 } = optimizer;
  const settings = { loss, optimizer: name, optimizerArgs: args, proximalMu };
  return recordStep(built, settings, samples, padded);
}

/**
 * Records a step with batches of one size. The model is left as it was.
 *
 * @param samples size of the batch, at least 2: with 1 the batch cannot be told from other axes
 * @param padded the batch in memory is longer than `samples`
 * @throws {NotRecordable} the step cannot be recorded
 */
export function recordStep(
  built: BuiltModel,
  settings: StepSettings,
  samples: number,
  padded: boolean,
): RecordedStep {
  const recording = new Recording(samples, padded);
  const { graph } = recording;
  const weights = bindWeights(recording, built);
  const known = Object.values(core.engine().state.registeredVariables);
  // Recording assigns variables, such as running means; a second reference keeps their numbers.
  const kept = known.map((variable) => ({
    variable,
    copy: core.keep(core.clone(variable)),
    dataId: variable.dataId,
  }));
  const slots = new Map(weights.map((variable, slot) => [variable.name, slot]));
  const updates: Update[] = [];
  try {
    const { outputs, loss, gradients } = recordWith(recording, () => {
      let traced: ReturnType<typeof trace>;
      core.tidy(() => {
        traced = trace(recording, built, settings.loss);
        for (const { variable, dataId } of kept) {
          if (variable.dataId === dataId) continue;
          const slot = slots.get(variable.name);
          if (slot === undefined) {
            throw new NotRecordable("it assigns a variable that is no weight of the model");
          }
          updates.push({ slot, value: materialised(graph, recording.symbolOf(variable)) });
        }
      });
      return traced!;
    });
    const moving = trainableVariables(built).flatMap((variable) => {
      const gradient = gradients.get(variable.name);
      return gradient === undefined ? [] : [{ slot: slots.get(variable.name)!, gradient }];
    });
    const { optimizer, optimizerArgs, proximalMu } = settings;
    const optimized = appendOptimizer(
      graph,
      moving,
      weights.length,
      optimizer,
      optimizerArgs,
      proximalMu,
    );
    updates.push(...optimized.updates);
    return {
      graph: { samples, loss, outputs, updates },
      variables: [
        ...weights.map(({ shape }) => shape),
        ...[...optimized.moments, ...optimized.anchors].map(({ of }) => weights[of]!.shape),
      ],
      anchors: optimized.anchors,
      scalars: Object.keys(optimized.scalars),
    };
  } finally {
    for (const { variable, copy, dataId } of kept) {
      if (variable.dataId !== dataId) variable.assign(copy);
      copy.dispose();
    }
  }
}

/** The outputs and the loss of a batch as evaluation has them, with nothing updated. */
function recordEvaluation(
  built: BuiltModel,
  lossName: string,
  samples: number,
  padded: boolean,
): StepGraph {
  const recording = new Recording(samples, padded);
  bindWeights(recording, built);
  return recordWith(recording, () => {
    let results: ReturnType<typeof resultsOf>;
    core.tidy(() => {
      const { loss, items, targets } = stepInputs(recording, built, lossName);
      const outputs = built.model.apply(items, { training: false }) as Tensor;
      results = resultsOf(recording, outputs, loss.mean(outputs, targets, built.isProbability));
    });
    return { samples, ...results!, updates: [] };
  });
}

/** Makes the model's weights variables of the graph, each in the slot of its place in the model. */
function bindWeights(recording: Recording, { model }: BuiltModel): Variable[] {
  return model.weights.map((weight, slot) => {
    const variable = variableOf(weight);
    const { shape, dtype, dataId } = variable;
    const value = recording.graph.make({ kind: "variable", slot }, [], shape, false);
    recording.bind(dataId, { ...plain(value, shape), dtype });
    return variable;
  });
}

/** Symbolic tensors of a batch. */
function stepInputs(recording: Recording, built: BuiltModel, lossName: string) {
  const { graph, samples } = recording;
  const loss = lossOf(lossName);
  const itemShape = built.model.inputs[0]!.shape.slice(1) as number[];
  const input = (name: "items" | "labels" | "targets", dims: readonly number[], dtype: string) => {
    const value = graph.make({ kind: "input", name }, [], dims, true);
    return tensorOf(recording, { ...batched(value, [samples, ...dims], 0), dtype });
  };
  const items = input("items", itemShape, "float32");
  const targets = loss.takesClasses
    ? input("labels", [], "int32")
    : input("targets", built.outputShape, "float32");
  return { loss, items, targets };
}

/** The step itself, on symbolic tensors. */
function trace(recording: Recording, built: BuiltModel, lossName: string) {
  const { graph } = recording;
  const { loss, items, targets } = stepInputs(recording, built, lossName);
  let outputs: Tensor | undefined;
  const { value, grads } = tf.variableGrads(() => {
    outputs = tf.keep(built.model.apply(items, { training: true }) as Tensor);
    const mean = loss.mean(outputs, targets, built.isProbability);
    return built.model.calculateLosses().reduce(
      (sum, part) => tf.add(sum, part),
      mean,
    ) as Scalar;
  }, trainableVariables(built));
  const results = resultsOf(recording, outputs!, value);
  const gradients = new Map(
    Object.entries(grads).map(([name, gradient]) => {
      const own = recording.symbolOf(gradient);
      if (own.batchAxis !== null) throw new NotRecordable(`the gradient of ${name} has a batch`);
      return [name, materialised(graph, own)];
    }),
  );
  outputs!.dispose();
  return { ...results, gradients };
}

function resultsOf(recording: Recording, outputs: Tensor, loss: Tensor) {
  const { graph } = recording;
  const symbol = recording.symbolOf(outputs);
  const total = recording.symbolOf(loss);
  if (symbol.batchAxis !== 0 || total.batchAxis !== null) {
    throw new NotRecordable("its outputs do not depend on its inputs");
  }
  return {
    outputs: materialised(graph, symbol),
    loss: graph.reshape(materialised(graph, total), []),
  };
}

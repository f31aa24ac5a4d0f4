/** Explains a built model: its layers, and the plan that its training step becomes. */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { type Dataset, itemKind } from "../data/dataset.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import { type BuiltModel, trainableVariables } from "./built_model.ts";
import type {
  ExplanationRequest,
  LayerExplanation,
  ModelExplanation,
  PlanExplanation,
} from "./explanation.ts";
import { lossOf } from "./losses.ts";
import { optimizerRule } from "./optimizer_rules.ts";
import { RecordingCompiler } from "./recording_compiler.ts";
import { operationText } from "./step/operation_text.ts";
import { NotRecordable } from "./step/not_recordable.ts";
import { sizeOf } from "./step/graph.ts";

type Layer = LayersModel["layers"][number];
type Shape = readonly (number | null)[];

/**
 * Explains a model and compiles its training step, without training.
 *
 * @throws {ModelError} unknown loss or optimizer, or too little memory
 */
export function explainModel(
  built: BuiltModel,
  { batchSize, loss, optimizer }: Omit<ExplanationRequest, "modelPackage" | "args">,
): ModelExplanation {
  optimizerRule(optimizer, {});
  const { model, description } = built;
  const layers = innerLayers(model).map((layer) => explainLayer(layer, description.nameOf(layer)));
  const step = explainStep(built, { batchSize, loss, optimizer });
  return {
    inputShape: model.inputs[0]!.shape.slice(1),
    layers,
    parameters: sum(description.layout.map(({ size }) => size)),
    trainableParameters: sum(trainableVariables(built).map(({ size }) => size)),
    flops: sum(layers.map(({ flops }) => flops)),
    batchSize,
    ...step,
  };
}

function explainStep(
  built: BuiltModel,
  { batchSize, loss, optimizer }: Omit<ExplanationRequest, "modelPackage" | "args">,
): Pick<ModelExplanation, "plan" | "notCompiled"> {
  const items = itemKind(sampleDataset(built, loss));
  const inputShape = built.model.inputs[0]!.shape.slice(1);
  if (inputShape.includes(null)) {
    return { plan: null, notCompiled: `its input shape [${inputShape.map(shown)}] is open` };
  }
  try {
    const settings = { loss, optimizer: { name: optimizer, args: {} } };
    const sizes = { train: [batchSize], evaluate: [] };
    const compiler = new RecordingCompiler(built, settings, items, sizes, chosenArithmetic());
    const plan = compiler.compile("train", batchSize, 1, {});
    const calls = plan.calls.map(({ value, kernel }) => ({
      operation: operationText(value, kernel),
      dims: value.dims,
      batched: value.batched,
      flops: kernel.flops,
    }));
    const explained: PlanExplanation = {
      calls,
      flops: sum(calls.map(({ flops }) => flops)),
      memoryBytes: plan.top,
      moduleBytes: plan.bytes.length,
    };
    return { plan: explained, notCompiled: null };
  } catch (error) {
    if (!(error instanceof NotRecordable)) throw error;
    return { plan: null, notCompiled: error.reason };
  }
}

/** A dataset that fits: bytes for images, floats else. */
function sampleDataset({ model, outputShape }: BuiltModel, loss: string): Dataset {
  const shape = model.inputs[0]!.shape.slice(1) as number[];
  const { takesClasses } = lossOf(loss);
  return {
    name: "sample",
    items: shape.length === 3 ? new Uint8Array() : new Float32Array(),
    shape,
    count: 0,
    labels: takesClasses ? new Int32Array() : new Float32Array(),
    targetShape: takesClasses ? [] : outputShape,
    classes: takesClasses ? outputShape.at(-1)! : null,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
}

/** Layers that compute, those of nested models in their place. */
function innerLayers({ layers }: { readonly layers: Layer[] }): Layer[] {
  return layers.flatMap((layer) =>
    "layers" in layer && Array.isArray(layer.layers)
      ? innerLayers(layer as unknown as LayersModel)
      : layer.getClassName() === "InputLayer"
      ? []
      : [layer]
  );
}

function explainLayer(layer: Layer, name: string): LayerExplanation {
  const outputShape = itemShape(layer.outputShape);
  return {
    name,
    kind: layer.getClassName(),
    outputShape,
    parameters: layer.countParams(),
    flops: layerFlops(layer, outputShape),
  };
}

const RECURRENT = ["LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM2D", "Bidirectional"];

/** Each matrix of weights is used once at each place of the output, or each step of a sequence. */
function layerFlops(layer: Layer, outputShape: Shape): number {
  const kind = layer.getClassName();
  if (kind === "Embedding") return 0;
  const input = itemShape(layer.inboundNodes[0]?.inputShapes[0] ?? []);
  const places = RECURRENT.includes(kind)
    ? input.slice(0, 1)
    : (kind.endsWith("Transpose") ? input : outputShape).slice(0, -1);
  const matrices = layer.weights.filter(({ shape }) => shape.length > 1);
  const elements = sum(matrices.map(({ shape }) => sizeOf(shape as number[])));
  return 2 * elements * sizeOf(places.map((extent) => extent ?? 1));
}

/** Without the batch; of the first output where there are several. */
function itemShape(shape: unknown): Shape {
  const [first] = shape as unknown[];
  return (Array.isArray(first) ? first : shape as Shape).slice(1);
}

function shown(extent: number | null): string {
  return extent === null ? "any" : String(extent);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

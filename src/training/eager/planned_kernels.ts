/**
 * Kernels of tfjs that slide windows over images, each compiled for its shapes when it first runs:
 * the recorder's own rules and plans, with a single kernel as the step. A plan has the batch as its
 * last axis, so images are turned on their way in and out.
 */
import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import { chosenArithmetic } from "../chosen_arithmetic.ts";
import { sizeOf, type Value } from "../step/graph.ts";
import { Arena } from "../step/memory_plan.ts";
import { NotRecordable } from "../step/not_recordable.ts";
import { optimise } from "../step/passes/optimise.ts";
import { type Plan, planStep } from "../step/plan.ts";
import { lanesFor } from "../step/blocks.ts";
import { kernelCall, Recording } from "../step/recorder.ts";
import { RULES } from "../step/rules/registry.ts";
import { batched, materialised, plain } from "../step/symbol.ts";
import { KernelMemory } from "../kernel_memory.ts";

/** What a kernel's inputs are: images or gradients of images, or weights. */
type Roles = Readonly<Record<string, "items" | "targets" | "weights">>;

const CONVOLUTION: Roles = { x: "items", filter: "weights", bias: "weights" };
const INPUT_GRADIENT: Roles = { dy: "items", filter: "weights" };
const WEIGHT_GRADIENT: Roles = { x: "items", dy: "targets" };

/** The kernels that are planned, with their inputs. */
export const PLANNED_KERNELS: Readonly<Record<string, Roles>> = {
  Conv2D: CONVOLUTION,
  FusedConv2D: CONVOLUTION,
  Conv2DBackpropInput: INPUT_GRADIENT,
  Conv2DBackpropFilter: WEIGHT_GRADIENT,
  DepthwiseConv2dNative: CONVOLUTION,
  FusedDepthwiseConv2D: CONVOLUTION,
  DepthwiseConv2dNativeBackpropInput: INPUT_GRADIENT,
  DepthwiseConv2dNativeBackpropFilter: WEIGHT_GRADIENT,
  MaxPool: { x: "items" },
  MaxPoolGrad: { dy: "targets", input: "items" },
  AvgPool: { x: "items" },
  AvgPoolGrad: { dy: "targets", input: "items" },
};

const memory = new KernelMemory();

interface PlannedKernel {
  readonly plan: Plan;
  readonly step: () => void;
  readonly result: Value;
  readonly shape: readonly number[];
  readonly samples: number;
  readonly lanes: number;
  /** Address of each input of weights. */
  readonly weights: Readonly<Record<string, number>>;
}

const plans = new Map<string, PlannedKernel>();

/**
 * Runs a planned kernel.
 *
 * @returns the result, or null if this variant of the kernel has no rule
 */
export function runPlanned(
  backend: MathBackendCPU,
  name: string,
  inputs: NamedTensorInfoMap,
  attributes: NamedAttrMap,
): TensorInfo | null {
  const roles = PLANNED_KERNELS[name]!;
  const given = Object.entries(roles).flatMap(([key, role]) => {
    const tensor = inputs[key];
    return tensor === undefined || tensor === null ? [] : [{ key, role, tensor }];
  });
  if (given.some(({ tensor }) => tensor.dtype !== "float32" || sizeOf(tensor.shape) === 0)) {
    return null;
  }
  const key = JSON.stringify([
    name,
    given.map(({ key, tensor }) => [key, tensor.shape]),
    attributes,
    chosenArithmetic(),
  ]);
  let planned = plans.get(key);
  if (planned === undefined) {
    try {
      planned = plan(name, given, inputs, attributes);
    } catch (error) {
      if (error instanceof NotRecordable || error instanceof RangeError) return null;
      throw error;
    }
    plans.set(key, planned);
  }
  const { floats } = memory;
  const { samples, lanes } = planned;
  for (const { address, values } of planned.plan.constants) floats.set(values, address / 4);
  for (const { key, role, tensor } of given) {
    const values = backend.data.get(tensor.dataId).values as Float32Array;
    if (role === "weights") floats.set(values, planned.weights[key]! / 4);
    else {
      const address = planned.plan.inputs[role];
      // The gradient of an average needs the shape of its input alone.
      if (address !== undefined) turnIn(values, floats, address / 4, samples, lanes);
    }
  }
  planned.step();
  const { result, shape } = planned;
  const values = new Float32Array(sizeOf(shape));
  const start = planned.plan.outputs / 4;
  if (result.batched) turnOut(floats, start, values, samples, lanes);
  else values.set(floats.subarray(start, start + values.length));
  return backend.makeTensorInfo([...shape], "float32", values);
}

function plan(
  name: string,
  given: readonly { key: string; role: Roles[string]; tensor: TensorInfo }[],
  inputs: NamedTensorInfoMap,
  attributes: NamedAttrMap,
): PlannedKernel {
  const samples = given.find(({ role }) => role !== "weights")!.tensor.shape[0]!;
  const lanes = lanesFor(samples);
  const padded = samples !== lanes;
  const recording = new Recording(samples, padded);
  const { graph } = recording;
  const arena = new Arena(0);
  const variables: number[] = [];
  const weights: Record<string, number> = {};
  for (const { key, role, tensor } of given) {
    const { shape, dataId, dtype } = tensor;
    if (role === "weights") {
      const value = graph.make({ kind: "variable", slot: variables.length }, [], shape, false);
      weights[key] = arena.take(sizeOf(shape) * 4).address;
      variables.push(weights[key]);
      recording.bind(dataId, { ...plain(value, shape), dtype });
    } else {
      const value = graph.make({ kind: "input", name: role }, [], shape.slice(1), true);
      recording.bind(dataId, { ...batched(value, shape, 0), dtype });
    }
  }
  const symbol = [RULES[name]!(kernelCall(recording, name, inputs, attributes))].flat()[0]!;
  const step = optimise(
    {
      samples,
      loss: graph.constant(Float32Array.of(0), []),
      outputs: materialised(graph, symbol),
      updates: [],
    },
    padded,
  );
  const made = planStep(
    step,
    lanes,
    { variables, scalars: {}, base: arena.top },
    { arithmetic: chosenArithmetic() },
  );
  const run = memory.instantiate(made.bytes, made.top)["step"] as () => void;
  return {
    ...{ plan: made, step: run, result: step.outputs, shape: symbol.shape },
    ...{ samples, lanes, weights },
  };
}

/** [samples][features] to [features][lanes], with zeros behind the last sample. */
function turnIn(
  from: Float32Array,
  to: Float32Array,
  start: number,
  samples: number,
  lanes: number,
): void {
  const features = from.length / samples;
  if (lanes !== samples) to.fill(0, start, start + features * lanes);
  for (let n = 0; n < samples; n++) {
    for (let i = 0, at = start + n; i < features; i++, at += lanes) {
      to[at] = from[n * features + i]!;
    }
  }
}

/** [features][lanes] to [samples][features]. */
function turnOut(
  from: Float32Array,
  start: number,
  to: Float32Array,
  samples: number,
  lanes: number,
): void {
  const features = to.length / samples;
  for (let n = 0; n < samples; n++) {
    for (let i = 0, at = start + n; i < features; i++, at += lanes) {
      to[n * features + i] = from[at]!;
    }
  }
}

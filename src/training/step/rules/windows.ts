/** Kernels that slide a window over images: convolutions and pooling, with their gradients. */
import type { Finish, Part, WindowShape } from "../graph.ts";
import { batched, batchedAt, plain, type Symbolic, unbatched } from "../symbol.ts";
import { finished } from "./matrices.ts";
import { type KernelCall, refuse, type Rules } from "./rule.ts";

const PLAIN: Finish = {};

/** Extents of a window over an input [N, H, W, C]. */
function windowShape(
  each: KernelCall,
  input: readonly number[],
  kernelHeight: number,
  kernelWidth: number,
  outputChannels: number,
): WindowShape {
  const { attributes } = each;
  const [strideHeight, strideWidth] = pair(attributes["strides"] ?? 1);
  const [dilationHeight, dilationWidth] = pair(attributes["dilations"] ?? 1);
  if ((attributes["dataFormat"] ?? "NHWC") !== "NHWC") refuse(each, "has channels first");
  const [, inputHeight, inputWidth, inputChannels] = input as [number, number, number, number];
  const pad = attributes["pad"];
  const rounding = attributes["dimRoundingMode"];
  const axis = (extent: number, kernel: number, stride: number, dilation: number, which: 0 | 1) => {
    const effective = (kernel - 1) * dilation + 1;
    if (pad === "same") {
      const output = Math.ceil(extent / stride);
      const total = Math.max(0, (output - 1) * stride + effective - extent);
      return { output, before: Math.floor(total / 2) };
    }
    if (pad === "valid") return { output: Math.ceil((extent - effective + 1) / stride), before: 0 };
    const [before, after] = typeof pad === "number"
      ? [pad, pad]
      : (pad as [number, number][])[which + 1]!;
    const exact = (extent + before + after - effective) / stride;
    if (!Number.isInteger(exact) && rounding !== "floor") refuse(each, "rounds its output's size");
    return { output: Math.floor(exact) + 1, before };
  };
  const rows = axis(inputHeight, kernelHeight, strideHeight, dilationHeight, 0);
  const columns = axis(inputWidth, kernelWidth, strideWidth, dilationWidth, 1);
  return {
    inputHeight,
    inputWidth,
    inputChannels,
    outputHeight: rows.output,
    outputWidth: columns.output,
    outputChannels,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    padTop: rows.before,
    padLeft: columns.before,
  };
}

function pair(attribute: unknown): [number, number] {
  if (typeof attribute === "number") return [attribute, attribute];
  const [first = 1, second = first] = (attribute ?? []) as number[];
  return [first, second];
}

/** tfjs takes gradients of any height and width and reads what it finds there. */
function checkGradient(each: KernelCall, { shape }: Symbolic, window: WindowShape): void {
  if (shape[1] !== window.outputHeight || shape[2] !== window.outputWidth) {
    refuse(each, "has a gradient of another shape than its output");
  }
}

type Convolution = "conv2d" | "depthwise";

function shapeOf(
  each: KernelCall,
  kind: Convolution,
  input: readonly number[],
  filter: readonly number[],
): WindowShape {
  const [height, width, channels, last] = filter as [number, number, number, number];
  if (kind === "conv2d" && channels !== input[3]) refuse(each, "has groups of channels");
  const outputs = kind === "conv2d" ? last : channels * last;
  return windowShape(each, input, height, width, outputs);
}

function forward(each: KernelCall, kind: Convolution): Symbolic {
  const { graph, input, samples } = each;
  const x = input("x");
  const filter = input("filter");
  const shape = shapeOf(each, kind, x.shape, filter.shape);
  const { outputHeight, outputWidth, outputChannels } = shape;
  const dims = [outputHeight, outputWidth, outputChannels];
  const values = [batchedAt(graph, x, 0), unbatched(graph, filter)];
  const value = graph.make(operation(kind, "forward", shape), values, dims, true);
  return batched(value, [samples, ...dims], 0);
}

function inputGradient(each: KernelCall, kind: Convolution): Symbolic {
  const { graph, input, attributes } = each;
  const filter = input("filter");
  const inputShape = attributes["inputShape"] as number[];
  const shape = shapeOf(each, kind, inputShape, filter.shape);
  const dy = input("dy");
  checkGradient(each, dy, shape);
  const values = [batchedAt(graph, dy, 0), unbatched(graph, filter)];
  const made = operation(kind, "inputGradient", shape);
  return batched(graph.make(made, values, inputShape.slice(1), true), inputShape, 0);
}

function weightGradient(each: KernelCall, kind: Convolution): Symbolic {
  const { graph, input, attributes } = each;
  const x = input("x");
  const filterShape = attributes["filterShape"] as number[];
  const shape = shapeOf(each, kind, x.shape, filterShape);
  const items = batchedAt(graph, x, 0);
  const gradient = input("dy");
  checkGradient(each, gradient, shape);
  const dy = batchedAt(graph, gradient, 0);
  const values = [items, items.clean ? dy : graph.cleaned(dy)];
  const made = operation(kind, "weightGradient", shape);
  return plain(graph.make(made, values, filterShape, false), filterShape);
}

function operation(kind: Convolution, part: Part, shape: WindowShape) {
  return { kind, part, shape, finish: PLAIN };
}

function pool(each: KernelCall, take: "max" | "average"): Symbolic {
  const { graph, input, samples } = each;
  const x = input("x");
  const [height, width] = pair(each.attributes["filterSize"]);
  const shape = windowShape(each, x.shape, height, width, x.shape[3]!);
  const dims = [shape.outputHeight, shape.outputWidth, shape.outputChannels];
  const value = graph.make({ kind: "pool", take, shape }, [batchedAt(graph, x, 0)], dims, true);
  return batched(value, [samples, ...dims], 0);
}

function poolGradient(each: KernelCall, take: "max" | "average"): Symbolic {
  const { graph, input } = each;
  const x = input("input");
  const [height, width] = pair(each.attributes["filterSize"]);
  const shape = windowShape(each, x.shape, height, width, x.shape[3]!);
  const dy = batchedAt(graph, input("dy"), 0);
  const values = take === "max" ? [dy, batchedAt(graph, x, 0)] : [dy];
  const value = graph.make(
    { kind: "poolGradient", take, shape, positive: false },
    values,
    x.shape.slice(1),
    true,
  );
  return batched(value, x.shape, 0);
}

export const windowRules: Rules = {
  Conv2D: (each) => forward(each, "conv2d"),
  FusedConv2D: (each) => finished(each, forward(each, "conv2d")),
  Conv2DBackpropInput: (each) => inputGradient(each, "conv2d"),
  Conv2DBackpropFilter: (each) => weightGradient(each, "conv2d"),
  DepthwiseConv2dNative: (each) => forward(each, "depthwise"),
  FusedDepthwiseConv2D: (each) => finished(each, forward(each, "depthwise")),
  DepthwiseConv2dNativeBackpropInput: (each) => inputGradient(each, "depthwise"),
  DepthwiseConv2dNativeBackpropFilter: (each) => weightGradient(each, "depthwise"),
  MaxPool: (each) => pool(each, "max"),
  MaxPoolGrad: (each) => poolGradient(each, "max"),
  AvgPool: (each) => pool(each, "average"),
  AvgPoolGrad: (each) => poolGradient(each, "average"),
};

/**
 * Runs a graph in plain TypeScript, value by value in the memory layout of a plan: slow and
 * obvious, the reference that plans are compared with.
 */
import { evaluate } from "../../../src/training/step/expression.ts";
import {
  type Operation,
  reachable,
  sizeOf,
  type StepGraph,
  type Value,
} from "../../../src/training/step/graph.ts";
import type { WindowShape } from "../../../src/training/step/graph.ts";

/** What a step starts from. */
export interface StepInputs {
  /** Batched tensors in layout [...dims][lanes], by name. */
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** By slot; overwritten with what they hold after the step. */
  readonly variables: Float32Array[];
  readonly scalars: Readonly<Record<string, number>>;
  readonly random: () => number;
}

/** Runs a step on batches in memory of `lanes` samples, of which the first `graph.samples` count. */
export function interpretStep(
  graph: StepGraph,
  lanes: number,
  { inputs, variables, scalars, random }: StepInputs,
): { readonly loss: number; readonly outputs: Float32Array } {
  const memory = new Map<Value, Float32Array>();
  for (const value of reachable(graph)) {
    memory.set(value, make(value));
  }
  const updated = graph.updates.map(({ slot, value }) => ({ slot, numbers: memory.get(value)! }));
  for (const { slot, numbers } of updated) variables[slot] = numbers.slice();
  return { loss: memory.get(graph.loss)![0]!, outputs: memory.get(graph.outputs)! };

  function make(value: Value): Float32Array {
    const { operation } = value;
    const given = value.inputs.map((input) => memory.get(input)!);
    const width = value.batched ? lanes : 1;
    const result = new Float32Array(sizeOf(value.dims) * width);
    switch (operation.kind) {
      case "input":
        return inputs[operation.name]!;
      case "variable":
        return variables[operation.slot]!;
      case "scalar":
        return Float32Array.of(scalars[operation.name]!);
      case "constant":
        return operation.values;
      case "lanes":
        return result.fill(1, 0, graph.samples);
      case "random":
        return result.map(() => random());
      case "reshape":
        return given[0]!;
      case "map":
        forEachIndex(value.dims, (index, flat) => {
          for (let lane = 0; lane < width; lane++) {
            const operands = value.inputs.map((input, i) => at(input, given[i]!, index, lane));
            result[flat * width + lane] = evaluate(operation.expression, operands);
          }
        });
        return result;
      case "reduce":
        return reduce(value, operation, given[0]!, result);
      case "dense":
        return dense(value, operation.part, given, result);
      case "conv2d":
      case "depthwise":
        return convolve(value, operation, given, result);
      case "pool":
      case "poolGradient":
        return pool(operation, given, result);
      case "oneHot":
        forEachIndex(value.dims, (index, flat) => {
          for (let lane = 0; lane < lanes; lane++) {
            const label = at(value.inputs[0]!, given[0]!, index.slice(0, -1), lane);
            const real = lane < graph.samples;
            result[flat * lanes + lane] = real && label === index.at(-1) ? 1 : 0;
          }
        });
        return result;
      case "gather":
        forEachIndex(value.dims, (index, flat) => {
          for (let lane = 0; lane < width; lane++) {
            const row = at(value.inputs[1]!, given[1]!, index.slice(0, -1), lane);
            result[flat * width + lane] = given[0]![row * value.dims.at(-1)! + index.at(-1)!] ??
              NaN;
          }
        });
        return result;
      case "segmentSum":
        forEachIndex(value.inputs[0]!.dims, (index, flat) => {
          for (let lane = 0; lane < lanes; lane++) {
            const row = at(value.inputs[1]!, given[1]!, index.slice(0, -1), lane);
            result[row * value.dims[1]! + index.at(-1)!]! += given[0]![flat * lanes + lane]!;
          }
        });
        return result;
      case "concat": {
        let start = 0;
        value.inputs.forEach((input, i) => {
          const offset = start;
          forEachIndex(input.dims, (index, flat) => {
            const to = index.map((each, axis) => axis === operation.axis ? each + offset : each);
            copy(given[i]!, flat, result, flatOf(value.dims, to), width);
          });
          start += input.dims[operation.axis]!;
        });
        return result;
      }
      case "slice":
        forEachIndex(value.dims, (index, flat) => {
          const from = index.map((each, axis) => each + operation.begin[axis]!);
          copy(given[0]!, flatOf(value.inputs[0]!.dims, from), result, flat, width);
        });
        return result;
      case "pad":
        result.fill(operation.fill);
        forEachIndex(value.inputs[0]!.dims, (index, flat) => {
          const to = index.map((each, axis) => each + operation.before[axis]!);
          copy(given[0]!, flat, result, flatOf(value.dims, to), width);
        });
        return result;
      case "transpose":
        forEachIndex(value.dims, (index, flat) => {
          const from: number[] = [];
          operation.axes.forEach((axis, i) => from[axis] = index[i]!);
          copy(given[0]!, flatOf(value.inputs[0]!.dims, from), result, flat, width);
        });
        return result;
    }
  }

  function reduce(
    value: Value,
    { take, batch }: Operation & { kind: "reduce" },
    given: Float32Array,
    result: Float32Array,
  ): Float32Array {
    const [input] = value.inputs as [Value];
    const width = input.batched ? lanes : 1;
    if (take !== "sum") result.fill(take === "max" ? -Infinity : Infinity);
    forEachIndex(input.dims, (index, flat) => {
      const to = flatOf(value.dims, index.map((each, axis) => value.dims[axis] === 1 ? 0 : each));
      for (let lane = 0; lane < width; lane++) {
        const place = batch || !input.batched ? to : to * lanes + lane;
        const number = given[flat * width + lane]!;
        if (take === "sum") result[place]! += number;
        else result[place] = Math[take](result[place]!, number);
      }
    });
    return result;
  }

  function finish(value: Value, given: Float32Array[], result: Float32Array): Float32Array {
    const { operation } = value;
    if (!("finish" in operation)) return result;
    const { bias, relu, mask } = operation.finish;
    const rest = given.slice(2);
    const channels = value.dims.at(-1)!;
    const added = bias === true ? rest.shift()! : null;
    const positive = mask === true ? rest.shift()! : null;
    return result.map((sum, i) => {
      const full = added === null ? sum : sum + added[Math.floor(i / lanes) % channels]!;
      const active = relu === true ? Math.max(full, 0) : full;
      return positive !== null && !(positive[i]! > 0) ? 0 : active;
    });
  }

  function dense(
    value: Value,
    part: string,
    given: Float32Array[],
    result: Float32Array,
  ): Float32Array {
    const [a, b] = given as [Float32Array, Float32Array];
    const [x] = value.inputs as [Value];
    const width = x.dims.at(-1)!;
    const rows = sizeOf(x.dims.slice(0, -1));
    const outputs = part === "weightGradient" ? value.inputs[1]!.dims.at(-1)! : value.dims.at(-1)!;
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < width; k++) {
        for (let o = 0; o < outputs; o++) {
          for (let lane = 0; lane < lanes; lane++) {
            const xAt = (row * width + k) * lanes + lane;
            const yAt = (row * outputs + o) * lanes + lane;
            if (part === "weightGradient") result[k * outputs + o]! += a[xAt]! * b[yAt]!;
            else {
              const weight = part === "forward" ? b[k * outputs + o]! : b[o * width + k]!;
              result[yAt]! += a[xAt]! * weight;
            }
          }
        }
      }
    }
    return finish(value, given, result);
  }

  function convolve(
    value: Value,
    { kind, part, shape }: Operation & { kind: "conv2d" | "depthwise" },
    given: Float32Array[],
    result: Float32Array,
  ): Float32Array {
    const [a, b] = given as [Float32Array, Float32Array];
    const { inputChannels, outputChannels } = shape;
    const multiplier = outputChannels / inputChannels;
    forEachTap(shape, (input, output, tap) => {
      for (let ci = 0; ci < inputChannels; ci++) {
        const own = kind === "depthwise" ? multiplier : outputChannels;
        for (let o = 0; o < own; o++) {
          const co = kind === "depthwise" ? ci * multiplier + o : o;
          const wAt = (tap * inputChannels + ci) * own + o;
          for (let lane = 0; lane < lanes; lane++) {
            const xAt = (input * inputChannels + ci) * lanes + lane;
            const yAt = (output * outputChannels + co) * lanes + lane;
            if (part === "forward") result[yAt]! += a[xAt]! * b[wAt]!;
            else if (part === "inputGradient") result[xAt]! += a[yAt]! * b[wAt]!;
            else result[wAt]! += a[xAt]! * b[yAt]!;
          }
        }
      }
    });
    return finish(value, given, result);
  }

  function pool(
    operation: Operation & { kind: "pool" | "poolGradient" },
    given: Float32Array[],
    result: Float32Array,
  ): Float32Array {
    const { kind, take, shape } = operation;
    const channels = shape.inputChannels;
    const window = shape.kernelHeight * shape.kernelWidth;
    const pixels = shape.outputHeight * shape.outputWidth;
    const windows = Array.from({ length: pixels }, () => [] as number[]);
    forEachTap(shape, (input, output) => windows[output]!.push(input));
    windows.forEach((inputs, output) => {
      for (let i = 0; i < channels * lanes; i++) {
        const place = (pixel: number) => pixel * channels * lanes + i;
        if (kind === "pool") {
          const numbers = inputs.map((pixel) => given[0]![place(pixel)]!);
          result[place(output)] = take === "max"
            ? Math.max(...numbers)
            : numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
        } else if (take === "average") {
          for (const pixel of inputs) {
            result[place(pixel)]! += given[0]![place(output)]! / window;
          }
        } else {
          let best = inputs[0]!;
          const x = given[1]!;
          for (const pixel of inputs) if (x[place(pixel)]! > x[place(best)]!) best = pixel;
          if (!operation.positive || x[place(best)]! > 0) {
            result[place(best)]! += given[0]![place(output)]!;
          }
        }
      }
    });
    return result;
  }

  /** An element of an operand, stretched. */
  function at(value: Value, numbers: Float32Array, index: readonly number[], lane: number): number {
    const own = index.map((each, axis) => value.dims[axis] === 1 ? 0 : each);
    const flat = flatOf(value.dims, own);
    return numbers[value.batched ? flat * lanes + lane : flat]!;
  }
}

function forEachIndex(
  dims: readonly number[],
  visit: (index: readonly number[], flat: number) => void,
): void {
  const total = sizeOf(dims);
  for (let flat = 0; flat < total; flat++) {
    let left = flat;
    const index = dims.map(() => 0);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = left % dims[axis]!;
      left = Math.floor(left / dims[axis]!);
    }
    visit(index, flat);
  }
}

function flatOf(dims: readonly number[], index: readonly number[]): number {
  return dims.reduce((flat, size, axis) => flat * size + index[axis]!, 0);
}

function copy(from: Float32Array, a: number, to: Float32Array, b: number, width: number): void {
  to.set(from.subarray(a * width, (a + 1) * width), b * width);
}

/** All pairs of an input pixel and an output pixel, with the tap of the kernel between them. */
function forEachTap(
  shape: WindowShape,
  visit: (input: number, output: number, tap: number) => void,
): void {
  for (let oy = 0; oy < shape.outputHeight; oy++) {
    for (let ox = 0; ox < shape.outputWidth; ox++) {
      for (let ky = 0; ky < shape.kernelHeight; ky++) {
        for (let kx = 0; kx < shape.kernelWidth; kx++) {
          const y = oy * shape.strideHeight - shape.padTop + ky * shape.dilationHeight;
          const x = ox * shape.strideWidth - shape.padLeft + kx * shape.dilationWidth;
          if (y < 0 || y >= shape.inputHeight || x < 0 || x >= shape.inputWidth) continue;
          visit(
            y * shape.inputWidth + x,
            oy * shape.outputWidth + ox,
            ky * shape.kernelWidth + kx,
          );
        }
      }
    }
  }
}

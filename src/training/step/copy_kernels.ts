/** The kernels of values that only move numbers. */
import { copy, map, type ModuleBuilder } from "../../kernels/mod.ts";
import { sizeOf, type Value } from "./graph.ts";
import { type KernelUse, RESULT } from "./kernel_use.ts";

/** Joins, parts, paddings and transpositions. */
export function copies(module: ModuleBuilder, value: Value, lanes: number): KernelUse[] {
  const { operation, inputs, dims, batched } = value;
  const run = batched ? lanes : 1;
  const toStrides = stridesOf(dims, run);
  const moved = (sizes: readonly number[], fromStrides: number[], to: number[], of: number) => ({
    kernel: copy(module, { sizes, fromStrides, toStrides: to, run }),
    of,
  });
  switch (operation.kind) {
    case "concat": {
      let offset = 0;
      return inputs.map((input, of) => {
        const { kernel } = moved(input.dims, stridesOf(input.dims, run), toStrides, of);
        const place = { of: "result", offset } as const;
        offset += input.dims[operation.axis]! * toStrides[operation.axis]! * 4;
        return { kernel, operands: [{ of }, place] };
      });
    }
    case "slice": {
      const fromStrides = stridesOf(inputs[0]!.dims, run);
      const offset = operation.begin.reduce((sum, at, i) => sum + at * fromStrides[i]!, 0) * 4;
      const { kernel } = moved(dims, fromStrides, toStrides, 0);
      return [{ kernel, operands: [{ of: 0, offset }, RESULT] }];
    }
    case "pad": {
      const from = inputs[0]!.dims;
      const offset = operation.before.reduce((sum, at, i) => sum + at * toStrides[i]!, 0) * 4;
      const { kernel } = moved(from, stridesOf(from, run), toStrides, 0);
      const filler = map(module, {
        sizes: [sizeOf(dims) * run],
        present: [],
        expression: operation.fill,
      });
      return [
        { kernel: filler, operands: [RESULT] },
        { kernel, operands: [{ of: 0 }, { of: "result", offset }] },
      ];
    }
    case "transpose": {
      const strides = stridesOf(inputs[0]!.dims, run);
      const fromStrides = operation.axes.map((axis) => strides[axis]!);
      const { kernel } = moved(dims, fromStrides, toStrides, 0);
      return [{ kernel, operands: [{ of: 0 }, RESULT] }];
    }
    default:
      throw new RangeError(`Cannot compute a value of kind "${operation.kind}" by a kernel`);
  }
}

/** Floats from one element of each axis to the next. */
function stridesOf(dims: readonly number[], run: number): number[] {
  return dims.map((_, axis) => sizeOf(dims.slice(axis + 1)) * run);
}

/**
 * The sum of each row of a matrix, as bias gradients need it: rows * columns FLOP. Four rows at a
 * time, so four chains of additions run at once and one store takes four sums.
 */
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { quadSum, storeSums, type SumEpilogue } from "./lane_sums.ts";
import { sumEpilogueKey, sumEpilogueOperands } from "./lane_sums.ts";
import { range } from "./tiles.ts";

export interface RowSumShape {
  readonly rows: number;
  /** A multiple of 4. */
  readonly columns: number;
  /** Floats from one row to the next. @default columns */
  readonly row?: number;
  /** @default the plain sums */
  readonly epilogue?: SumEpilogue;
}

/** Operands `from`, `to`, then `scale` if it is an operand. Throws RangeError for odd columns. */
export function rowSum(module: ModuleBuilder, shape: RowSumShape): Kernel {
  const { rows, columns, row = columns, epilogue = {} } = shape;
  if (columns % 4 !== 0) {
    throw new RangeError(`Cannot sum rows of ${columns} floats as it is no multiple of 4`);
  }
  return defineKernel(module, {
    key: `row sum ${[rows, columns, row, sumEpilogueKey(epilogue)]}`,
    params: ["from", "to", ...sumEpilogueOperands(epilogue)],
    flops: rows * columns,
    build(f, { from, to, scale }) {
      const factor = scale === undefined ? undefined : f.let(v128.load32Splat(scale));
      const sumRows = (count: number) => {
        const sums = range(count).map(() => f.let(f32x4.const(0)));
        const at = f.let(from);
        f.unrolledLoop(columns / 4, 4, () => {
          for (const [r, sum] of sums.entries()) {
            f.set(sum, f32x4.add(sum, v128.load(at, r * row * 4)));
          }
          f.bump(at, 16);
        });
        storeSums(f, epilogue, quadSum(f, sums), to, range(count).map((r) => r * 4), factor);
        f.bump(from, 4 * row * 4);
        f.bump(to, 16);
      };
      f.loop(Math.floor(rows / 4), () => sumRows(4));
      if (rows % 4 > 0) sumRows(rows % 4);
    },
  });
}

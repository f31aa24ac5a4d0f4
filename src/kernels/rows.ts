/**
 * Rows of a table by number for each sample, as an embedding takes them, the gradient of that, and
 * numbers as rows of zeros with a one.
 */
import { f32, f32x4, i32, i32x4, v128 } from "./emitter/instructions.ts";
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { I32, Local } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Extents of taking rows. */
export interface RowsShape {
  /** Rows of the table; numbers outside it count as the nearest row. */
  readonly table: number;
  /** Floats of a row. */
  readonly width: number;
  /** Numbers of each sample. */
  readonly numbers: number;
  readonly batch: number;
}

/** Operands `table` [table][width], `numbers` [numbers][batch] as floats, `to` [numbers][width][batch]. */
export function takeRows(module: ModuleBuilder, shape: RowsShape): Kernel {
  return defineKernel(module, {
    key: `take rows ${JSON.stringify(shape)}`,
    params: ["table", "numbers", "to"],
    flops: 0,
    build(f, { table, numbers, to }) {
      eachRow(f, shape, table, numbers, to, (row, column) => {
        f.store(column, i32.load(row));
      });
    },
  });
}

/** Operands `rows` [numbers][width][batch], `numbers`, `to` [table][width]: the sum of rows by number. */
export function sumRows(module: ModuleBuilder, shape: RowsShape): Kernel {
  return defineKernel(module, {
    key: `sum rows ${JSON.stringify(shape)}`,
    params: ["rows", "numbers", "to"],
    flops: shape.numbers * shape.width * shape.batch,
    build(f, { rows, numbers, to }) {
      f.memoryFill(to, 0, shape.table * shape.width * 4);
      eachRow(f, shape, to, numbers, rows, (row, column) => {
        f.store(row, f32.add(f32.load(row), f32.load(column)));
      });
    },
  });
}

/** Runs `body` for each float of each row, with its places in the table and in the batch. */
function eachRow(
  f: FunctionBuilder,
  { table: rows, width, numbers: count, batch }: RowsShape,
  table: Local<"i32">,
  numbers: Local<"i32">,
  batches: Local<"i32">,
  body: (row: Local<"i32">, column: Local<"i32">) => void,
): void {
  f.loop(count, () => {
    f.loop(batch, () => {
      const row = f.let(i32.add(table, i32.mul(rowNumber(f, numbers, rows), width * 4)));
      const column = f.let(batches);
      f.loop(width, () => {
        body(row, column);
        f.bump(row, 4);
        f.bump(column, batch * 4);
      });
      f.bump(numbers, 4);
      f.bump(batches, 4);
    });
    f.bump(batches, (width - 1) * batch * 4);
  });
}

function rowNumber(f: FunctionBuilder, numbers: Local<"i32">, rows: number): I32 {
  const whole = i32x4.truncSatF32x4S(v128.load32Splat(numbers));
  const inside = i32x4.min(i32x4.max(whole, i32x4.const(0)), i32x4.const(rows - 1));
  return f.let(i32x4.extractLane(inside, 0));
}

/** Operands `numbers` [numbers][batch], `to` [numbers][depth][batch]: 1 where a number is the index. */
export function oneHot(
  module: ModuleBuilder,
  { numbers: count, depth, batch, batchStride = batch }: {
    readonly numbers: number;
    readonly depth: number;
    readonly batch: number;
    /** Floats from one number or place to the next. @default batch */
    readonly batchStride?: number;
  },
): Kernel {
  return defineKernel(module, {
    key: `one hot ${[count, depth, batch, batchStride]}`,
    params: ["numbers", "to"],
    flops: 0,
    build(f, { numbers, to }) {
      f.loop(count, () => {
        const index = f.let(f32x4.const(0));
        f.loop(depth, () => {
          const at = f.let(numbers);
          f.loop(batch / 4, () => {
            f.store(to, v128.and(f32x4.eq(v128.load(at), index), f32x4.const(1)));
            f.bump(at, 16);
            f.bump(to, 16);
          });
          f.bump(to, (batchStride - batch) * 4);
          f.set(index, f32x4.add(index, f32x4.const(1)));
        });
        f.bump(numbers, batchStride * 4);
      });
    },
  });
}

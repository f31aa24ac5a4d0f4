/**
 * Transposed copy, [rows][columns] to [columns][rows], with zeros as padding: no FLOP. Blocks of
 * 4 x 4 in registers (4 loads, 8 shuffles, 4 stores).
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { storeLanes } from "./epilogue.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";

/** Extents of the source; strides count floats. */
export interface TransposeShape {
  readonly rows: number;
  /** Vectors are read whole, so up to 3 floats behind the last row. */
  readonly columns: number;
  /** From one row of the source to the next. @default columns */
  readonly fromRow?: number;
  /** From one row of the result to the next. @default paddedRows */
  readonly toRow?: number;
  /** Floats written in each row of the result: zeros behind the first `rows`. @default rows */
  readonly paddedRows?: number;
  /** Rows written in the result: zeros below the first `columns`. @default columns */
  readonly paddedColumns?: number;
}

/** Operands `from`, `to`; they must not overlap. */
export function transpose(module: ModuleBuilder, shape: TransposeShape): Kernel {
  const { rows, columns, fromRow = columns, paddedRows = rows, paddedColumns = columns } = shape;
  const { toRow = paddedRows } = shape;
  return defineKernel(module, {
    key: `transpose ${[rows, columns, fromRow, toRow, paddedRows, paddedColumns]}`,
    params: ["from", "to"],
    flops: 0,
    build(f, { from, to }) {
      const below = f.let(to);
      f.bump(below, columns * toRow * 4);
      strip(f, from, to, Math.floor(rows / 4), 4, 4);
      const left = rows % 4;
      if (left > 0) strip(f, from, to, 1, left, Math.min(4, paddedRows - (rows - left)));
      const zeros = paddedRows - Math.ceil(rows / 4) * 4;
      if (zeros > 0) zeroBehind(f, to, zeros);
      f.loop(paddedColumns - columns, () => {
        f.memoryFill(below, 0, paddedRows * 4);
        f.bump(below, toRow * 4);
      });
    },
  });

  /** Strips of 4 rows, of which `present` exist and `written` floats are stored. */
  function strip(
    f: FunctionBuilder,
    from: Local<"i32">,
    to: Local<"i32">,
    count: number,
    present: number,
    written: number,
  ): void {
    f.loop(count, () => {
      const s = f.let(from), d = f.let(to);
      const block = (stored: number) => {
        const source = range(4).map((r) =>
          r < present ? f.let(v128.load(s, r * fromRow * 4)) : f32x4.const(0)
        );
        const turned = transpose4(f, source as [V128, V128, V128, V128]);
        for (const c of range(stored)) storeLanes(f, d, turned[c]!, c * toRow * 4, written);
        f.bump(s, 16);
        f.bump(d, 4 * toRow * 4);
      };
      f.loop(Math.floor(columns / 4), () => block(4));
      if (columns % 4 > 0) block(columns % 4);
      f.bump(from, 4 * fromRow * 4);
      f.bump(to, 16);
    });
  }

  /** `to` points behind the last strip of the first row. */
  function zeroBehind(f: FunctionBuilder, to: Local<"i32">, floats: number): void {
    const at = f.let(to);
    f.loop(columns, () => {
      f.memoryFill(at, 0, floats * 4);
      f.bump(at, toRow * 4);
    });
  }
}

/** Four rows of four lanes as four columns. */
export function transpose4(f: FunctionBuilder, rows: readonly [V128, V128, V128, V128]): V128[] {
  const [a, b, c, d] = rows;
  const ab = f.let(f32x4.shuffle(a, b, 0, 4, 1, 5)),
    abHigh = f.let(f32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f.let(f32x4.shuffle(c, d, 0, 4, 1, 5)),
    cdHigh = f.let(f32x4.shuffle(c, d, 2, 6, 3, 7));
  return [
    f32x4.shuffle(ab, cd, 0, 1, 4, 5),
    f32x4.shuffle(ab, cd, 2, 3, 6, 7),
    f32x4.shuffle(abHigh, cdHigh, 0, 1, 4, 5),
    f32x4.shuffle(abHigh, cdHigh, 2, 3, 6, 7),
  ];
}

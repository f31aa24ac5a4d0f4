import assert from "node:assert/strict";
import {
  gemmDot,
  type GemmDotShape,
  ModuleBuilder,
  rowSum,
  transpose,
  type TransposeShape,
} from "../../src/kernels/mod.ts";
import {
  referenceGemmDot,
  referenceRowSum,
  referenceTranspose,
} from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

function checkDot(shape: GemmDotShape): void {
  const { m, n, aRow, bRow, cRow, cColumn = 1 } = shape;
  const operands = {
    a: noise(m * aRow, 1),
    b: noise(n * bRow, 2),
    c: noise((m - 1) * cRow + (n - 1) * cColumn + 1, 3),
    scale: Float32Array.of(0.5),
  };
  const expected = Float64Array.from(operands.c);
  referenceGemmDot(shape, operands.a, operands.b, expected, { scale: 0.5 });
  for (const arithmetic of arithmetics) {
    const { c } = runKernel(arithmetic, (module) => gemmDot(module, shape), operands);
    assertClose(c, expected);
  }
}

Deno.test("gemmDot() multiplies rows of any number and length", () => {
  for (const m of [1, 5, 6, 13]) {
    for (const n of [1, 2, 7]) {
      for (const k of [4, 32, 36, 100]) checkDot({ m, n, k, aRow: k, bRow: k + 4, cRow: n });
    }
  }
});

Deno.test("gemmDot() writes a transposed C and applies its epilogue", () => {
  const shape = { m: 7, n: 3, k: 12, aRow: 12, bRow: 12, cRow: 1, cColumn: 9 };
  checkDot(shape);
  checkDot({ ...shape, epilogue: { accumulate: true, scale: -0.1 } });
  checkDot({ ...shape, epilogue: { accumulate: true, scale: "operand" } });
});

Deno.test("gemmDot() adds blocks of a long k", () => {
  for (const k of [12288, 12288 * 2 + 4]) {
    const shape = { m: 3, n: 1, k, aRow: k, bRow: k, cRow: 1 };
    checkDot(shape);
    checkDot({ ...shape, epilogue: { accumulate: true, scale: "operand" } });
  }
});

Deno.test("gemmDot() and rowSum() refuse lengths that are no multiple of 4", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const odd = { m: 1, n: 1, k: 6, aRow: 6, bRow: 6, cRow: 1 };
  assert.throws(() => gemmDot(module, odd), /k = 6 as it is no multiple of 4/);
  assert.throws(() => rowSum(module, { rows: 1, columns: 7 }), /rows of 7 floats/);
});

Deno.test("transpose() turns matrices of any extents, with zeros as padding", () => {
  const check = (shape: TransposeShape) => {
    const { rows, columns, fromRow = columns, paddedRows = rows, paddedColumns = columns } = shape;
    const from = noise(rows * fromRow, 1);
    const to = noise((shape.toRow ?? paddedRows) * paddedColumns, 2);
    const expected = Float64Array.from(to);
    referenceTranspose(shape, from, expected);
    assertClose(
      runKernel("portable", (module) => transpose(module, shape), { from, to }).to,
      expected,
      0,
    );
  };
  for (const rows of [1, 3, 4, 5, 8, 10]) {
    for (const columns of [1, 2, 4, 7, 12]) {
      check({ rows, columns });
      check({ rows, columns, fromRow: columns + 3, toRow: rows + 5 });
      for (const more of [1, 3, 4, 9]) {
        check({ rows, columns, paddedRows: rows + more, paddedColumns: columns + more });
        check({ rows, columns, paddedRows: rows + more, toRow: rows + more + 2 });
      }
    }
  }
});

Deno.test("rowSum() adds each row and applies its epilogue", () => {
  for (const rows of [1, 2, 3, 4, 6, 9]) {
    for (const columns of [4, 12, 32, 100]) {
      for (
        const epilogue of [{}, { accumulate: true, scale: -0.5 }, { scale: "operand" }] as const
      ) {
        const shape = { rows, columns, row: columns + 4, epilogue };
        const from = noise(rows * shape.row, 1), to = noise(rows, 2), scale = Float32Array.of(3);
        const expected = Float64Array.from(to);
        referenceRowSum(shape, from, expected, { scale: 3 });
        const after = runKernel("portable", (module) => rowSum(module, shape), { from, to, scale });
        assertClose(after.to, expected);
      }
    }
  }
});

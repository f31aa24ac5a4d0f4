/** Plain twins of the matrix kernels: obvious, slow, summed in double precision. */
import type { Epilogue } from "../epilogue.ts";
import type { GemmShape } from "../gemm.ts";
import type { GemmDotShape } from "../gemm_dot.ts";
import type { RowSumShape } from "../row_sum.ts";
import type { TransposeShape } from "../transpose.ts";

type Floats = Float32Array | Float64Array;

/** What an epilogue reads beside the sums. */
export interface EpilogueInputs {
  readonly bias?: Floats;
  readonly mask?: Floats;
  readonly scale?: number;
}

/** The value that an epilogue stores at index `at` of C, given the sum for it. */
export function referenceEpilogue(
  epilogue: Epilogue,
  sum: number,
  { bias, mask, scale }: EpilogueInputs,
  place: { readonly at: number; readonly biasAt: number; readonly before: number },
): number {
  const factor = epilogue.scale === "operand" ? scale! : epilogue.scale ?? 1;
  let value = factor * sum + (epilogue.bias === undefined ? 0 : bias![place.biasAt]!);
  if (epilogue.activation === "relu") value = value < 0 ? 0 : value;
  if (epilogue.mask === true && !(mask![place.at]! > 0)) value = 0;
  return epilogue.accumulate === true ? place.before + value : value;
}

/** As `gemm`; changes `c` and leaves what lies between its rows. */
export function referenceGemm(
  { m, n, k, aRow, aDepth, bDepth, cRow, epilogue = {} }: GemmShape,
  a: Floats,
  b: Floats,
  c: Floats,
  inputs: EpilogueInputs = {},
): void {
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let d = 0; d < k; d++) sum += a[row * aRow + d * aDepth]! * b[d * bDepth + column]!;
      const at = row * cRow + column;
      const biasAt = epilogue.bias === "row" ? row : column;
      c[at] = referenceEpilogue(epilogue, sum, inputs, { at, biasAt, before: c[at]! });
    }
  }
}

/** As `gemmDot`; changes `c`. */
export function referenceGemmDot(
  { m, n, k, aRow, bRow, cRow, cColumn = 1, epilogue = {} }: GemmDotShape,
  a: Floats,
  b: Floats,
  c: Floats,
  inputs: EpilogueInputs = {},
): void {
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let d = 0; d < k; d++) sum += a[row * aRow + d]! * b[column * bRow + d]!;
      const at = row * cRow + column * cColumn;
      c[at] = referenceEpilogue(epilogue, sum, inputs, { at, biasAt: 0, before: c[at]! });
    }
  }
}

/** As `transpose`; changes `to`. */
export function referenceTranspose(
  { rows, columns, fromRow = columns, toRow, paddedRows = rows, paddedColumns = columns }:
    TransposeShape,
  from: Floats,
  to: Floats,
): void {
  for (let c = 0; c < paddedColumns; c++) {
    for (let r = 0; r < paddedRows; r++) {
      const inside = r < rows && c < columns;
      to[c * (toRow ?? paddedRows) + r] = inside ? from[r * fromRow + c]! : 0;
    }
  }
}

/** As `rowSum`; changes `to`. */
export function referenceRowSum(
  { rows, columns, row = columns, epilogue = {} }: RowSumShape,
  from: Floats,
  to: Floats,
  inputs: EpilogueInputs = {},
): void {
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += from[r * row + c]!;
    to[r] = referenceEpilogue(epilogue, sum, inputs, { at: r, biasAt: 0, before: to[r]! });
  }
}

/** Plain twins of the kernels that take rows of a table by number. */
import type { RowsShape } from "../rows.ts";

type Floats = Float32Array | Float64Array;

/** Calls `visit` with the place of each float in the table and in the batch. */
function eachFloat(
  { table, width, numbers: count, batch }: RowsShape,
  numbers: Floats,
  visit: (inTable: number, inBatch: number) => void,
): void {
  for (let n = 0; n < count; n++) {
    for (let sample = 0; sample < batch; sample++) {
      const given = Math.trunc(numbers[n * batch + sample]!);
      const row = Math.min(Math.max(Number.isNaN(given) ? 0 : given, 0), table - 1);
      for (let i = 0; i < width; i++) visit(row * width + i, (n * width + i) * batch + sample);
    }
  }
}

/** As `takeRows`; changes `to`. */
export function referenceTakeRows(
  shape: RowsShape,
  table: Floats,
  numbers: Floats,
  to: Floats,
): void {
  eachFloat(shape, numbers, (inTable, inBatch) => to[inBatch] = table[inTable]!);
}

/** As `sumRows`; changes `to`. */
export function referenceSumRows(
  shape: RowsShape,
  rows: Floats,
  numbers: Floats,
  to: Floats,
): void {
  to.fill(0);
  eachFloat(shape, numbers, (inTable, inBatch) => to[inTable]! += rows[inBatch]!);
}

/** As `oneHot`; changes `to`. */
export function referenceOneHot(
  { depth, batch }: { readonly depth: number; readonly batch: number },
  numbers: Floats,
  to: Floats,
): void {
  to.fill(0);
  for (const [at, number] of numbers.entries()) {
    if (!Number.isInteger(number) || number < 0 || number >= depth) continue;
    to[(Math.floor(at / batch) * depth + number) * batch + at % batch] = 1;
  }
}

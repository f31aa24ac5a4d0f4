/** Some rows of loaded data, as data of their own. */
import { elements, type NumberArray, type RawData } from "./dataset.ts";

/** The rows with these numbers, in this order. */
export function pickRows({ items, shape, labels }: RawData, rows: Int32Array): RawData {
  return {
    items: picked(items, rows, elements(shape)),
    shape,
    labels: {
      ...labels,
      values: picked(labels.values, rows, elements(labels.shape)),
      count: rows.length,
    },
  };
}

function picked<T extends NumberArray>(values: T, rows: Int32Array, size: number): T {
  const chosen = new (values.constructor as new (length: number) => T)(rows.length * size);
  rows.forEach((row, i) => chosen.set(values.subarray(row * size, (row + 1) * size), i * size));
  return chosen;
}

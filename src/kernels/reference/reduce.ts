/** Plain twin of the reducing kernel, in double precision. */
import type { ReduceShape } from "../reduce.ts";
import { indicesOf } from "./expression.ts";

type Floats = Float32Array | Float64Array;

/** As `reduce`; changes `to`. */
export function referenceReduce(
  { take, sizes, reduced, batch, overBatch }: ReduceShape,
  from: Floats,
  to: Floats,
): void {
  const all = [...sizes, batch ?? 1];
  const dropped = [...reduced, overBatch];
  const start = { sum: 0, max: -Infinity, min: Infinity }[take];
  to.fill(start);
  for (let at = 0; at < from.length; at++) {
    const indices = indicesOf(at, all);
    let own = 0;
    all.forEach((size, axis) => {
      if (!dropped[axis]) own = own * size + indices[axis]!;
    });
    to[own] = take === "sum" ? to[own]! + from[at]! : Math[take](to[own]!, from[at]!);
  }
}

/** Arithmetic on whole updates as plain loops. */

/** The sum of updates times their shares, from left to right in Float64, rounded once. */
export function referenceWeightedSum(
  updates: readonly Float32Array[],
  shares: readonly number[],
): Float32Array {
  return Float32Array.from(
    updates[0]!,
    (_, at) => updates.reduce((sum, update, i) => sum + shares[i]! * update[at]!, -0),
  );
}

/** a * x + b * y. */
export function referenceAxpby(
  a: number,
  x: Float32Array,
  b: number,
  y: Float32Array,
): Float32Array {
  return y.map((value, i) => a * x[i]! + b * value);
}

/** The sum of squares in four sums; what is left behind the last four goes to the first of them. */
export function referenceSquaredNorm(values: Float32Array): number {
  const sums = [0, 0, 0, 0];
  const whole = values.length - values.length % 4;
  for (const [i, value] of values.entries()) sums[i < whole ? i % 4 : 0]! += value * value;
  return (sums[0]! + sums[2]!) + (sums[1]! + sums[3]!);
}

/** The largest magnitude; NaN if there is one. */
export function referenceLargestMagnitude(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

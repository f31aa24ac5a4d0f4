/** Draws from the symmetric Dirichlet distribution, by normalising gamma variates. */
import type { Prng } from "../core/prng.ts";

/**
 * `count` shares that sum to 1, drawn from Dirichlet(alpha, ..., alpha).
 *
 * @param alpha greater than 0; below 0.01 nearly all goes to one
 */
export function dirichletShares(count: number, alpha: number, prng: Prng): number[] {
  // Logarithms, as a gamma variate of a small alpha is often below the smallest float.
  const logs = Array.from({ length: count }, () => logGamma(alpha, prng));
  const most = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Logarithm of a gamma variate of scale 1: G(a) = G(a + 1) * U^(1/a) for a below 1. */
function logGamma(alpha: number, prng: Prng): number {
  if (alpha >= 1) return Math.log(gammaFromOne(alpha, prng));
  return Math.log(gammaFromOne(alpha + 1, prng)) + Math.log(positive(prng)) / alpha;
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables" (2000); alpha from 1. */
function gammaFromOne(alpha: number, prng: Prng): number {
  const d = alpha - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  while (true) {
    const x = normal(prng);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(positive(prng)) < x * x / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Box and Muller. */
function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(positive(prng))) * Math.cos(2 * Math.PI * prng());
}

/** Uniform in (0, 1]. */
function positive(prng: Prng): number {
  return 1 - prng();
}

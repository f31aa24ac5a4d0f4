/**
 * Keeps a number of clients at work: one that has answered, failed or left makes room for another.
 * For asynchronous aggregation as in Xie et al., "Asynchronous Federated Optimization" (2019).
 */
import { sample } from "../core/prng.ts";
import type { SelectionView, Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";

type Nothing = Record<never, never>;

/** Draws as many as are missing to the number that shall be at work. */
export const fedasync: Selector<Size, Nothing> = {
  args: withSize({}),
  initial: () => ({}),
  select: fill,
  refill: fill,
};

function fill(
  { candidates, busy }: SelectionView,
  state: Nothing,
  args: Size,
  prng: () => number,
) {
  const missing = countOf(args, candidates.length + busy.length) - busy.length;
  const train = sample(candidates, Math.max(0, missing), prng).map(({ id }) => id);
  return { train, state };
}

/**
 * Clients with odd numbers in odd rounds, those with even ones in even rounds. A client's number is
 * the one at the end of its name (`workstation_3`), or else its place in the order of names.
 */
import { sample } from "../core/prng.ts";
import type { Candidate, Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";

/** Draws from the half whose turn it is; from all if nobody of that half is there. */
export const oddEven: Selector<Size, Record<never, never>> = {
  args: withSize({}),
  initial: () => ({}),
  select({ round, candidates }, state, args, prng) {
    const half = candidates.filter((client, i) => numberOf(client, i) % 2 === round % 2);
    const from = half.length > 0 ? half : candidates;
    const count = countOf(args, candidates.length);
    return { train: sample(from, count, prng).map(({ id }) => id), state };
  },
};

function numberOf({ name }: Candidate, index: number): number {
  const digits = /\d+$/.exec(name)?.[0];
  return digits === undefined ? index + 1 : Number(digits.at(-1));
}

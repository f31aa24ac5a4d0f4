/**
 * Random selection: a uniform sample without replacement. The original calls it `fedavg`, after
 * McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data"
 * (2017), where a fraction C of the clients is drawn each round.
 */
import { sample } from "../core/prng.ts";
import type { Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";

/** Draws as many as the arguments say. */
export const random: Selector<Size, Record<never, never>> = {
  args: withSize({}),
  initial: () => ({}),
  select({ candidates }, state, args, prng) {
    const train = sample(candidates, countOf(args, candidates.length), prng).map(({ id }) => id);
    return { train, state };
  },
};

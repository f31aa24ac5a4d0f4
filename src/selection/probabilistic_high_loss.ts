/** Draws clients with a probability in proportion to their loss. */
import type { JsonObject } from "../core/json.ts";
import { sample } from "../core/prng.ts";
import type { ByLossArgs } from "./by_loss.ts";
import { drawWithout } from "./draw.ts";
import { latestLoss, validateEvery, validationInterval } from "./loss.ts";
import type { Selector } from "./selector.ts";
import { countOf, withSize } from "./size.ts";

/**
 * A uniform draw in round 1, then one without replacement in proportion to the loss. A client of
 * unknown loss counts as much as the one with the highest.
 */
export const probabilisticHighLoss: Selector<ByLossArgs, JsonObject> = {
  args: withSize({ validation_round_interval: validationInterval(1) }),
  initial: () => ({}),
  validate: (view, _state, args) => validateEvery(view, args.validation_round_interval),
  select({ round, candidates }, state, args, prng) {
    const count = countOf(args, candidates.length);
    if (round === 1) return { train: sample(candidates, count, prng).map(({ id }) => id), state };
    const losses = candidates.map(latestLoss);
    const highest = Math.max(0, ...losses.map((loss) => loss ?? 0));
    const weights = losses.map((loss) => Math.max(0, loss ?? highest));
    return { train: drawWithout(candidates, weights, count, prng).map(({ id }) => id), state };
  },
};

/** The clients with the highest loss, or those with the lowest. */
import type { JsonObject } from "../core/json.ts";
import { latestLoss, validateEvery, validationInterval } from "./loss.ts";
import type { Candidate, Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";

/** How many, and how often all are asked for their loss. */
export type ByLossArgs = Size & { readonly validation_round_interval: number };

/** Who is worst served by the global weights trains next. */
export const highLoss = byLoss((a, b) => b - a);
/** Who is best served by the global weights trains next. */
export const lowLoss = byLoss((a, b) => a - b);

/**
 * Everybody in round 1, then the first in order of loss. Clients of unknown loss come first, as
 * otherwise theirs would never be known; ties go by name.
 */
function byLoss(order: (a: number, b: number) => number): Selector<ByLossArgs, JsonObject> {
  return {
    args: withSize({ validation_round_interval: validationInterval(0) }),
    initial: () => ({}),
    validate: (view, _state, args) => validateEvery(view, args.validation_round_interval),
    select({ round, candidates }, state, args) {
      const count = round === 1 ? candidates.length : countOf(args, candidates.length);
      const sorted = [...candidates].sort((a, b) => compare(a, b, order));
      return { train: sorted.slice(0, count).map(({ id }) => id), state };
    },
  };
}

function compare(a: Candidate, b: Candidate, order: (a: number, b: number) => number): number {
  const [x, y] = [latestLoss(a), latestLoss(b)];
  if (x === null || y === null) return Number(x !== null) - Number(y !== null);
  return order(x, y);
}

/**
 * Random selection that counts on those who deliver: a client whose last assignment brought no
 * update in time is dropped as long as there are others, and one that fails is replaced inside the
 * round. The original calls it `reliable_fedavg`.
 */
import type { JsonObject } from "../core/json.ts";
import { sample } from "../core/prng.ts";
import type { Candidate, Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";

/** How many updates the round under way shall have. */
type Target = JsonObject & { readonly target: number };

/** Draws like `random` among the reliable, and refills the round for each that fails. */
export const reliable: Selector<Size, Target> = {
  args: withSize({}),
  initial: () => ({ target: 0 }),
  select({ candidates }, _state, args, prng) {
    const target = countOf(args, candidates.length);
    const reliable = candidates.filter(({ failedLast }) => !failedLast);
    const failed = candidates.filter(({ failedLast }) => failedLast);
    const drawn = draw(reliable, failed, target, prng);
    return { train: drawn, state: { target }, spares: idsOf(reliable) };
  },
  refill({ candidates, busy, updates }, state, _args, prng) {
    const missing = Math.max(0, state.target - busy.length - updates);
    const reliable = candidates.filter(({ failedLast }) => !failedLast);
    return { train: draw(reliable, [], missing, prng), state, spares: idsOf(reliable) };
  },
};

/** Of the first as many as there are, of the second what is then missing. */
function draw(
  first: readonly Candidate[],
  second: readonly Candidate[],
  count: number,
  prng: () => number,
): string[] {
  const drawn = sample(first, count, prng);
  return idsOf([...drawn, ...sample(second, count - drawn.length, prng)]);
}

function idsOf(clients: readonly Candidate[]): string[] {
  return clients.map(({ id }) => id);
}

/**
 * Random selection: a uniform sample without replacement. The original calls it `fedavg`, after
 * McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data"
 * (2017), where a fraction C of the clients is drawn each round.
 */
import * as v from "valibot";
import { sample } from "../core/prng.ts";
import type { Selector } from "./selector.ts";

const args = v.pipe(
  v.strictObject({
    num_clients_per_round: v.optional(
      v.pipe(
        v.number(),
        v.integer("must be a whole number"),
        v.minValue(1, "must be at least 1"),
        v.description("Clients a round; all that are there if there are fewer"),
      ),
    ),
    client_fraction: v.optional(
      v.pipe(
        v.number(),
        v.gtValue(0, "must be more than 0"),
        v.maxValue(1, "must be at most 1"),
        v.description("Fraction of the available clients a round, at least one client"),
      ),
    ),
  }),
  v.check(
    (given) => given.num_clients_per_round === undefined || given.client_fraction === undefined,
    'takes either "num_clients_per_round" or "client_fraction", not both',
  ),
  v.transform(({ num_clients_per_round: count, client_fraction: fraction }): RandomArgs =>
    count !== undefined ? { num_clients_per_round: count } : { client_fraction: fraction ?? 1 }
  ),
);

/** How many clients: a fixed number, or a fraction of those available. */
export type RandomArgs =
  | { readonly num_clients_per_round: number }
  | { readonly client_fraction: number };

/** What a fraction such as 0.29 of 100 may fall short of 29 in 64-bit arithmetic, and much more. */
const ROUNDING = 1e-9;

/** Draws `num_clients_per_round` clients or `max(1, floor(client_fraction * available))`. */
export const random: Selector<RandomArgs, Record<never, never>> = {
  args,
  initial: () => ({}),
  select({ candidates }, state, args, prng) {
    const count = "client_fraction" in args
      ? Math.max(1, Math.floor(args.client_fraction * candidates.length + ROUNDING))
      : args.num_clients_per_round;
    const train = sample(candidates, count, prng).map(({ id }) => id);
    return { train, state };
  },
};

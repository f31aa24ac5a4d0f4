/** How many clients a strategy takes, in the spellings of all strategies. */
import * as v from "valibot";

/** A fixed number of clients, or a fraction of those there are. */
export type Size =
  | { readonly num_clients_per_round: number }
  | { readonly client_fraction: number };

/** The arguments that say how many. */
const sizeEntries = {
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
  percentage_client_selection: v.optional(
    v.pipe(
      v.number(),
      v.gtValue(0, "must be more than 0"),
      v.maxValue(100, "must be at most 100"),
      v.description("The same as client_fraction, in percent"),
    ),
  ),
};

type Given<E extends v.ObjectEntries> = v.InferOutput<v.StrictObjectSchema<E, undefined>>;

/**
 * A schema of arguments that say how many clients, and more.
 *
 * @param entries the further arguments
 * @param fallback fraction if nothing is said
 */
export function withSize<const E extends v.ObjectEntries>(entries: E, fallback = 1) {
  return v.pipe(
    v.strictObject({ ...sizeEntries, ...entries }),
    v.check(
      (given) => Object.keys(sizeEntries).filter((key) => Object.hasOwn(given, key)).length <= 1,
      'takes one of "num_clients_per_round", "client_fraction" and ' +
        '"percentage_client_selection", not several',
    ),
    v.transform((given) => {
      const {
        num_clients_per_round: count,
        client_fraction: fraction,
        percentage_client_selection: percentage,
        ...rest
      } = given as v.InferOutput<v.StrictObjectSchema<typeof sizeEntries, undefined>>;
      const size: Size = count !== undefined ? { num_clients_per_round: count } : {
        client_fraction: fraction ?? (percentage === undefined ? fallback : percentage / 100),
      };
      return { ...rest as unknown as Given<E>, ...size };
    }),
  );
}

/** What a fraction such as 0.29 of 100 may fall short of 29 in 64-bit arithmetic, and much more. */
const ROUNDING = 1e-9;

/** Number of clients of so many: `num_clients_per_round`, or `max(1, floor(fraction * of))`. */
export function countOf(size: Size, of: number): number {
  const wanted = "client_fraction" in size
    ? Math.max(1, Math.floor(size.client_fraction * of + ROUNDING))
    : size.num_clients_per_round;
  return Math.min(wanted, of);
}

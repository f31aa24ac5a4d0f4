/** Selection of every available client; the original's `all_clients`. */
import * as v from "valibot";
import type { Selector } from "./selector.ts";

/** Takes all candidates. */
export const all: Selector<Record<never, never>, Record<never, never>> = {
  args: v.strictObject({}),
  initial: () => ({}),
  select: ({ candidates }, state) => ({
    train: candidates.map(({ id }) => id),
    state,
  }),
};

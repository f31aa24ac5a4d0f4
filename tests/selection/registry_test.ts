/** What holds of every selection strategy, whoever is there and whatever is known of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { seeded } from "../../src/core/prng.ts";
import { SELECTOR_NAMES, selectors } from "../../src/selection/registry.ts";
import type { Candidate } from "../../src/selection/selector.ts";
import { measured, viewOf } from "./candidates.ts";

/** The 16 names of the original, each with the arguments that its files use. */
const ORIGINALS: Record<string, Record<string, unknown>> = {
  fedavg: { client_fraction: 0.5 },
  reliable_fedavg: { client_fraction: 0.5 },
  fedasync: { client_fraction: 0.5 },
  haccs: { num_tiers: 1, client_fraction: 0.5, loss_latency_tradeoff_param: 0.5 },
  fedat: { num_tiers: 1, num_clients_selected_per_tier: 2 },
  tifl: { validation_round_interval: 1, num_clients: 2, num_tiers: 1, credits_per_tier: 3 },
  all_clients: {},
  random_subset: { client_fraction: 0.5 },
  high_loss: { percentage_client_selection: 50 },
  low_loss: { percentage_client_selection: 50 },
  probabilistic_high_loss: { percentage_client_selection: 50 },
  odd_even: { percentage_client_selection: 50 },
  haccs_lite: { num_tiers: 1, percentage_client_selection: 50 },
  haccs_lite_deprecated: { num_tiers: 1, percentage_client_selection: 50 },
  tiered_roundrobin: { num_tiers: 1, percentage_client_selection: 50 },
  tifl_lite: { num_tiers: 1, percentage_client_selection: 50 },
};

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
/** Up to 12 clients, in order of name, of whom anything or nothing may be known. */
const anyClients = fc.uniqueArray(fc.integer({ min: 1, max: 12 })).chain((numbers) =>
  fc.tuple(
    ...numbers.sort((a, b) => a - b).map((n) =>
      fc.record({
        loss: maybe(fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.constant(0))),
        accuracy: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
        seconds: maybe(fc.double({ min: 0, max: 100, noNaN: true })),
        labels: maybe(
          fc.dictionary(fc.constantFrom("0", "1", "constructor"), fc.double({ min: 0, max: 1 })),
        ),
        failed: fc.boolean(),
      }).map((known) =>
        measured(
          n,
          Object.fromEntries(Object.entries(known).filter(([, one]) => one !== undefined)),
        )
      )
    ),
  )
) as fc.Arbitrary<Candidate[]>;

Deno.test("selectors has the original's 16 names, each with the original's arguments", () => {
  assert.equal(Object.keys(ORIGINALS).length, 16);
  for (const [name, args] of Object.entries(ORIGINALS)) {
    const { issues } = v.safeParse(selectors[name as "fedavg"].args, args);
    assert.equal(issues, undefined, name);
  }
});

for (const name of SELECTOR_NAMES) {
  Deno.test(`${name} selects some of whoever is there, none twice, as clients come and go`, () => {
    const selector = selectors[name];
    const args = v.parse(selector.args, ORIGINALS[name] ?? {});
    const rounds = fc.array(anyClients, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rounds, fc.nat(), (crowds, seed) => {
        let state = selector.initial(args);
        for (const [i, crowd] of crowds.entries()) {
          const view = viewOf(crowd, { round: i + 1 });
          const ids = crowd.map(({ id }) => id);
          const validating = selector.validate?.(view, state, args) ?? [];
          assert.ok(validating.every((id) => ids.includes(id)));
          const chosen = selector.select(view, state, args, seeded(seed));
          const { train } = chosen;
          assert.equal(new Set(train).size, train.length);
          assert.ok(train.every((id) => ids.includes(id)), `${train} of ${ids}`);
          assert.equal(train.length > 0, crowd.length > 0);
          assert.deepEqual(selector.select(view, state, args, seeded(seed)), chosen, "pure");
          state = JSON.parse(JSON.stringify(chosen.state));
          assert.deepEqual(state, chosen.state, "the state survives the journal");
          if (selector.refill === undefined) continue;
          const busy = crowd.filter(({ id }) => train.includes(id))
            .map((client) => ({
              ...client,
              assignedRound: i + 1,
              group: chosen.groups?.[client.id] ?? null,
            }));
          const idle = crowd.filter(({ id }) => !train.includes(id));
          const added = selector.refill(
            viewOf(idle, { round: i + 1, busy }),
            state,
            args,
            seeded(seed),
          );
          assert.deepEqual(added.train, [], "nobody has answered, so nobody is missing");
        }
      }),
      { numRuns: 60 },
    );
  });
}

import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { fedasync, type FedasyncArgs, freshness } from "../../src/aggregation/fedasync.ts";
import { aggregated, updateOf } from "./updates.ts";

function argsOf(given: Record<string, unknown> = {}): FedasyncArgs {
  return v.parse(fedasync.args, given);
}

/** One update of 10 samples. */
function one(...values: number[]) {
  return [{ samples: 10, values: new Float32Array(values) }];
}

Deno.test("fedasync takes the original's alpha alone", () => {
  assert.deepEqual(argsOf({ alpha: 0.9 }), {
    alpha: 0.9,
    mixing: 1,
    staleness: "polynomial",
    hinge_slope: 10,
    hinge_rounds: 4,
    updates_per_round: 1,
  });
});

Deno.test("fedasync refuses shares and stalenesses that cannot be", () => {
  const refused: [unknown, RegExp][] = [
    [{ alpha: -1 }, /^must be at least 0$/],
    [{ mixing: 0 }, /^must be more than 0$/],
    [{ mixing: 1.5 }, /^must be at most 1$/],
    [{ staleness: "cubic" }, /Expected \("polynomial" \| "constant" \| "hinge"\)/],
    [{ updates_per_round: 0 }, /^must be at least 1$/],
  ];
  for (const [given, message] of refused) {
    const { issues = [] } = v.safeParse(fedasync.args, given);
    assert.match(issues[0]?.message ?? "accepted", message);
  }
});

Deno.test("freshness() falls with the stale rounds as the paper's three functions do", () => {
  const polynomial = argsOf({ alpha: 0.5 });
  assert.deepEqual([0, 3, 8].map((stale) => freshness(stale, polynomial)), [1, 1 / 2, 1 / 3]);
  const constant = argsOf({ staleness: "constant" });
  assert.deepEqual([0, 100].map((stale) => freshness(stale, constant)), [1, 1]);
  const hinge = argsOf({ staleness: "hinge", hinge_slope: 10, hinge_rounds: 4 });
  // 1 / (10 * 1 + 1) and 1 / (10 * 2 + 1).
  assert.deepEqual([0, 4, 5, 6].map((stale) => freshness(stale, hinge)), [1, 1, 1 / 11, 1 / 21]);
});

Deno.test("fedasync mixes a stale update in, as computed by hand", async () => {
  // Round 4 of one selected in round 1: (3 + 1)^-0.5 = 0.5; times 0.5 is 0.25.
  const result = await aggregated(fedasync, one(8, -4, 1), {
    args: argsOf({ alpha: 0.5, mixing: 0.5 }),
    global: new Float32Array([4, 4, 1]),
    round: 4,
    assigned: [1],
  });
  assert.deepEqual([...result], [0.75 * 4 + 0.25 * 8, 0.75 * 4 - 0.25 * 4, 1]);
});

Deno.test("fedasync with mixing 1 takes over a fresh update to the bit, as the original", async () => {
  const values = new Float32Array([-0, 0, 2 ** -149, 3.4028234663852886e38]);
  const result = await aggregated(fedasync, [{ samples: 3, values }], {
    args: argsOf({ alpha: 0.9 }),
    global: new Float32Array([1, 2, 3, 4]),
    round: 7,
    assigned: [7],
  });
  assert.deepEqual(new Uint8Array(result.buffer), new Uint8Array(values.buffer));
});

Deno.test("fedasync gives each of several updates its part of the change", async () => {
  const given = [
    { samples: 1, values: new Float32Array([10]) },
    { samples: 99, values: new Float32Array([20]) },
  ];
  // Shares 0.5 (fresh) and 0.5 * 0.5 (3 rounds stale), halved: 2 + 0.25 * 8 + 0.125 * 18.
  const result = await aggregated(fedasync, given, {
    args: argsOf({ alpha: 0.5, mixing: 0.5, updates_per_round: 2 }),
    global: new Float32Array([2]),
    round: 4,
    assigned: [4, 1],
  });
  assert.deepEqual([...result], [6.25]);
});

Deno.test("fedasync changes nothing where the updates are the global weights, whatever the arguments", async () => {
  const anyArgs = fc.record({
    alpha: fc.double({ min: 0, max: 3, noNaN: true }),
    mixing: fc.double({ min: 0.01, max: 1, noNaN: true }),
    staleness: fc.constantFrom("polynomial", "constant", "hinge"),
  });
  const rounds = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });
  await fc.assert(fc.asyncProperty(anyArgs, rounds, async (given, assigned) => {
    const global = new Float32Array([1.5, -2, 1e-3, 1e6]);
    // Only if the shares sum to 1 does every element stay.
    const result = await aggregated(
      fedasync,
      assigned.map(() => ({ samples: 7, values: global })),
      { args: argsOf(given), global, round: 50, assigned },
    );
    for (const [i, value] of result.entries()) {
      assert.ok(Math.abs(value - global[i]!) <= Math.abs(global[i]!) * 2 ** -23, `${value}`);
    }
  }));
});

Deno.test("fedasync completes a round with the first updates that came, in any number", () => {
  const updates = [updateOf(3, 1), updateOf(1, 1), updateOf(2, 1)];
  const standing = { inFlight: [updateOf(4, 1)], updates, failures: 0 };
  assert.deepEqual(fedasync.ready(standing, argsOf()), updates.slice(0, 1));
  assert.deepEqual(
    fedasync.ready(standing, argsOf({ updates_per_round: 2 })),
    updates.slice(0, 2),
  );
  assert.equal(fedasync.ready(standing, argsOf({ updates_per_round: 4 })), null);
  assert.deepEqual(
    fedasync.ready({ ...standing, inFlight: [] }, argsOf({ updates_per_round: 4 })),
    updates,
    "nobody is left who could bring the fourth",
  );
});

import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { seeded } from "../../src/core/prng.ts";
import { random } from "../../src/selection/random.ts";
import type { Size } from "../../src/selection/size.ts";
import type { Candidate } from "../../src/selection/selector.ts";
import { anyCandidates, candidates, viewOf } from "./candidates.ts";

const anyArgs: fc.Arbitrary<Size> = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((num_clients_per_round) => ({ num_clients_per_round })),
  fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true })
    .map((client_fraction) => ({ client_fraction })),
);

function select(from: readonly Candidate[], args: Size, seed: number): readonly string[] {
  return random.select(viewOf(from), {}, args, seeded(seed)).train;
}

Deno.test("random.args takes a number, a fraction, or nothing for all", () => {
  assert.deepEqual(v.parse(random.args, { num_clients_per_round: 3 }), {
    num_clients_per_round: 3,
  });
  assert.deepEqual(v.parse(random.args, { client_fraction: 0.5 }), { client_fraction: 0.5 });
  assert.deepEqual(v.parse(random.args, { percentage_client_selection: 25 }), {
    client_fraction: 0.25,
  });
  assert.deepEqual(v.parse(random.args, {}), { client_fraction: 1 });
});

Deno.test("random.args refuses what cannot be, and says what may be", () => {
  const refused: [unknown, RegExp][] = [
    [{ num_clients_per_round: 0 }, /^must be at least 1$/],
    [{ num_clients_per_round: -2 }, /^must be at least 1$/],
    [{ num_clients_per_round: 1.5 }, /^must be a whole number$/],
    [{ num_clients_per_round: "3" }, /Expected number but received "3"/],
    [{ client_fraction: 0 }, /^must be more than 0$/],
    [{ client_fraction: 1.01 }, /^must be at most 1$/],
    [{ client_fraction: NaN }, /Expected number but received NaN/],
    [{ client_fraction: 0.5, num_clients_per_round: 3 }, /^takes one of .*, not several$/],
    [{ client_fractions: 0.5 }, /Expected never but received "client_fractions"/],
  ];
  for (const [given, message] of refused) {
    const { issues = [] } = v.safeParse(random.args, given);
    assert.match(issues[0]?.message ?? "accepted", message, JSON.stringify(given));
  }
});

Deno.test("random.select() draws max(1, floor(fraction * available)) or the asked number", () => {
  const cases: [Size, number, number][] = [
    [{ client_fraction: 1 }, 7, 7],
    [{ client_fraction: 0.5 }, 7, 3],
    [{ client_fraction: 0.1 }, 7, 1],
    [{ client_fraction: 0.34 }, 3, 1],
    [{ client_fraction: 0.5 }, 0, 0],
    [{ num_clients_per_round: 3 }, 7, 3],
    [{ num_clients_per_round: 7 }, 7, 7],
    [{ num_clients_per_round: 9 }, 7, 7],
    [{ num_clients_per_round: 2 }, 0, 0],
  ];
  for (const [args, available, drawn] of cases) {
    assert.equal(select(candidates(available), args, 1).length, drawn, JSON.stringify(args));
  }
});

Deno.test("random.select() counts hundredths as a user does, not as 64-bit products", () => {
  // In JavaScript 0.29 * 100 is 28.999999999999996.
  for (let hundredths = 1; hundredths <= 100; hundredths++) {
    const args = { client_fraction: hundredths / 100 };
    assert.equal(select(candidates(100), args, 1).length, hundredths);
  }
});

Deno.test("random.select() gives a subset without duplicates", () => {
  fc.assert(fc.property(anyCandidates, anyArgs, fc.nat(), (from, args, seed) => {
    const { train, state } = random.select(viewOf(from), {}, args, seeded(seed));
    assert.equal(new Set(train).size, train.length);
    assert.ok(train.every((id) => from.some((candidate) => candidate.id === id)));
    assert.equal(train.length > 0, from.length > 0);
    assert.deepEqual(state, {});
  }));
});

Deno.test("random.select() draws the same clients for a seed, whatever their UUIDs", () => {
  fc.assert(fc.property(fc.nat({ max: 30 }), anyArgs, fc.nat(), (count, args, seed) => {
    const nameOf = (from: readonly Candidate[]) => (id: string) =>
      from.find((candidate) => candidate.id === id)!.name;
    const [ascending, descending] = [candidates(count), candidates(count, (n) => `${99 - n}`)];
    const names = select(ascending, args, seed).map(nameOf(ascending));
    assert.deepEqual(select(descending, args, seed).map(nameOf(descending)), names);
    assert.deepEqual(select(ascending, args, seed).map(nameOf(ascending)), names);
  }));
});

Deno.test("random.select() draws each client equally often over seeds", () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 5000; seed++) {
    for (const id of select(candidates(10), { num_clients_per_round: 3 }, seed)) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  // 1500 expected; five standard deviations: 5 * sqrt(5000 * 0.3 * 0.7) = 162.
  assert.equal(counts.size, 10);
  for (const [id, count] of counts) assert.ok(Math.abs(count - 1500) < 162, `${id}: ${count}`);
});

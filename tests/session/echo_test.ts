import assert from "node:assert/strict";
import fc from "fast-check";
import { byName, type ClientRef } from "../../src/core/ids.ts";
import { seeded } from "../../src/core/prng.ts";
import { echoSelected } from "../../src/session/echo.ts";

function refs(...numbers: number[]): ClientRef[] {
  return numbers.map((n) => ({ id: `u${n}`, name: `c_${n}` }));
}

/** An echo that these clients do not answer. */
function silentFor(silent: readonly string[]): (client: ClientRef) => Promise<void> {
  return ({ name }) =>
    silent.includes(name) ? Promise.reject(new Error(`${name} is silent`)) : Promise.resolve();
}

Deno.test("echoSelected() keeps those who answer, in order of name", async () => {
  const outcome = await echoSelected(refs(10, 2, 1), refs(3), seeded(1), silentFor([]));
  assert.deepEqual(outcome, { selected: refs(1, 2, 10), replaced: [] });
});

Deno.test("echoSelected() asks everybody at once, not one after another", async () => {
  const asked: string[] = [];
  let answer = () => {};
  const answered = new Promise<void>((resolve) => answer = resolve);
  const outcome = echoSelected(refs(1, 2, 3), [], seeded(1), ({ name }) => {
    asked.push(name);
    if (asked.length === 3) answer();
    return answered;
  });
  assert.deepEqual((await outcome).selected, refs(1, 2, 3));
});

Deno.test("echoSelected() replaces a silent client by the only spare and says why", async () => {
  const outcome = await echoSelected(refs(1, 2), refs(3), seeded(1), silentFor(["c_2"]));
  assert.deepEqual(outcome.selected, refs(1, 3));
  const [two, three] = refs(2, 3);
  assert.deepEqual(outcome.replaced, [{ client: two, reason: "c_2 is silent", by: three }]);
});

Deno.test("echoSelected() replaces a silent spare too, and says when nobody is left", async () => {
  const outcome = await echoSelected(refs(1, 2), refs(3), seeded(1), silentFor(["c_2", "c_3"]));
  assert.deepEqual(outcome.selected, refs(1));
  assert.deepEqual(
    outcome.replaced.map(({ client, by }) => [client.name, by?.name ?? null]),
    [["c_2", "c_3"], ["c_3", null]],
  );
});

Deno.test("echoSelected() accounts for everybody whoever is silent, and repeats by seed", async () => {
  const given = fc.record({
    clients: fc.nat({ max: 6 }),
    spares: fc.nat({ max: 6 }),
    silent: fc.subarray(Array.from({ length: 12 }, (_, n) => `c_${n}`)),
    seed: fc.nat(),
  });
  await fc.assert(fc.asyncProperty(given, async ({ clients, spares, silent, seed }) => {
    const all = refs(...Array(clients + spares).keys());
    const asked: string[] = [];
    const run = () =>
      echoSelected(all.slice(0, clients), all.slice(clients), seeded(seed), (client) => {
        asked.push(client.name);
        return silentFor(silent)(client);
      });
    const { selected, replaced } = await run();
    assert.equal(new Set(asked).size, asked.length, "nobody is asked twice");
    const talking = all.filter(({ name }) => asked.includes(name) && !silent.includes(name));
    assert.deepEqual(selected, talking.sort(byName));
    assert.deepEqual(
      replaced.map(({ client }) => client.name).sort(),
      asked.filter((name) => silent.includes(name)).sort(),
    );
    // As many as were wanted, or everybody has been asked.
    assert.ok(selected.length === clients || asked.length === all.length);
    assert.deepEqual(await run(), { selected, replaced });
  }));
});

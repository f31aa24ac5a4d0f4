import assert from "node:assert/strict";
import { InvalidArgumentError } from "commander";
import { slowClients, slowdowns } from "../../src/cli/slowdowns.ts";

/** The factors of clients 1 to 5 for these values of the flag, 1 where none is given. */
function factors(...values: string[]): number[] {
  const given = values.reduce((before: ReturnType<typeof slowClients>, text) => {
    return slowClients(text, before);
  }, []);
  return slowdowns([1, 2, 3, 4, 5], given, 1);
}

Deno.test("--slowdown slows all clients of a process, or those with these numbers", () => {
  assert.deepEqual(factors(), [1, 1, 1, 1, 1]);
  assert.deepEqual(factors("4"), [4, 4, 4, 4, 4]);
  assert.deepEqual(factors("2.5:3"), [1, 1, 2.5, 1, 1]);
  assert.deepEqual(factors("4:1,3-5"), [4, 1, 4, 4, 4]);
});

Deno.test("--slowdown counts as it was given last for a client", () => {
  assert.deepEqual(factors("10", "40:4-5"), [10, 10, 10, 40, 40]);
  assert.deepEqual(factors("40:4-5", "10"), [10, 10, 10, 10, 10]);
});

Deno.test("--slowdown goes before what the configuration says", () => {
  assert.deepEqual(slowdowns([7, 8], slowClients("3:8"), 2), [2, 3]);
});

for (
  const text of ["", "0.5", "-2", "x", "4:", "4:a", "4:3-1", "4:0", "4:1,", ":3", "1e3", "4:1-"]
) {
  Deno.test(`--slowdown refuses "${text}"`, () => {
    assert.throws(() => slowClients(text), (error) => {
      assert.ok(error instanceof InvalidArgumentError);
      assert.match(error.message, /a factor of at least 1, .*4:17-20/);
      return true;
    });
  });
}

Deno.test("--slowdown refuses clients that the process does not run, and says which it runs", () => {
  assert.throws(() => slowdowns([1, 2, 3], slowClients("4:2-9"), 1), {
    name: "UsageError",
    message: "Cannot slow client 9 down (--slowdown 4:2-9) as this process runs clients 1 to 3: " +
      "name one of those",
  });
  assert.throws(() => slowdowns([6], slowClients("4:2"), 1), /runs client 6: name/);
});

import assert from "node:assert/strict";
import { closingLine, countsIn, sumOf, testRuns } from "../../tools/run_tests.ts";

Deno.test("countsIn() reads passed, failed and ignored of a summary", () => {
  assert.deepEqual(
    countsIn("FAILED | 10 passed (3 steps) | 1 failed | 2 ignored (1s)\n"),
    { passed: 10, failed: 1, skipped: 2 },
  );
  assert.deepEqual(countsIn("ok | 3 passed | 0 failed (12ms)"), {
    passed: 3,
    failed: 0,
    skipped: 0,
  });
});

Deno.test("countsIn() counts tests, not their steps", () => {
  assert.deepEqual(
    countsIn("FAILED | 4 passed (9 steps) | 2 failed (7 steps) (1s)"),
    { passed: 4, failed: 2, skipped: 0 },
  );
});

Deno.test("countsIn() sees through the colours of a terminal", () => {
  const coloured = "\n\x1b[0m\x1b[32mok\x1b[0m | 7 passed | 0 failed \x1b[38;5;245m(2s)\x1b[0m\n";
  assert.deepEqual(countsIn(coloured), { passed: 7, failed: 0, skipped: 0 });
});

Deno.test("countsIn() takes the last summary, and only a line of its own", () => {
  const printedByATest = "ok | 99 passed | 0 failed (1s)\nlog: ok | 98 passed | 0 failed\n";
  assert.deepEqual(
    countsIn(`${printedByATest}FAILED | 1 passed | 1 failed (1s)\n`),
    { passed: 1, failed: 1, skipped: 0 },
  );
});

Deno.test("countsIn() is null without a summary", () => {
  assert.equal(countsIn("error: Module not found"), null);
});

Deno.test("closingLine() names the skipped tests only if there are any", () => {
  assert.equal(closingLine({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  assert.equal(closingLine({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
});

Deno.test("sumOf() adds the counts of several runs", () => {
  const one = { passed: 3, failed: 1, skipped: 2 }, other = { passed: 4, failed: 0, skipped: 1 };
  assert.deepEqual(sumOf([one, other]), { passed: 7, failed: 1, skipped: 3 });
  assert.deepEqual(sumOf([]), { passed: 0, failed: 0, skipped: 0 });
});

const ignoredBy = (run: string[]) => run.find((argument) => argument.startsWith("--ignore="))!;

Deno.test("testRuns() runs files that are given, or all tests, each once", () => {
  for (const given of [[], ["--filter", "x"]]) {
    const [parts, systems] = testRuns(given) as [string[], string[]];
    assert.equal(parts.at(-1), "tests/");
    assert.match(ignoredBy(parts), /,tests\/chaos,tests\/e2e$/);
    assert.deepEqual(systems.slice(-2), ["tests/chaos", "tests/e2e"]);
    for (const run of [parts, systems]) assert.ok(given.every((own) => run.includes(own)));
  }
  const runs = testRuns(["tests/core"]);
  assert.deepEqual(runs.map((run) => run.at(-1)), ["tests/core"]);
});

Deno.test("testRuns() leaves slow tests out unless they are asked for", () => {
  const ignored = (given: string[]) => testRuns(given).map(ignoredBy);
  for (const found of [...ignored([]), ...ignored(["tests/core"])]) {
    assert.match(found, /,tests\/slow(,|$)/);
  }
  assert.doesNotMatch(ignored(["tests/slow"])[0]!, /slow/);
});

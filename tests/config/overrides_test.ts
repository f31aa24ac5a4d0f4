/** Settings from the command line: what they change, and what is said of bad ones. */
import assert from "node:assert/strict";
import { applyOverrides } from "../../src/config/overrides.ts";
import { readYaml } from "../../src/config/yaml.ts";
import { problemsOf } from "./registries.ts";

const source = readYaml("a:\n  b: 1\n  list: [1, 2]\nempty:\n", "config.yaml");

Deno.test("applyOverrides() sets, adds and replaces keys and leaves the source as it was", () => {
  const changed = applyOverrides(source, ["a.b=2", "a.c.d=x", "e={f: [1]}", "empty.g=true"]);
  assert.deepEqual(changed.value, {
    a: { b: 2, list: [1, 2], c: { d: "x" } },
    e: { f: [1] },
    empty: { g: true },
  });
  assert.deepEqual(source.value, { a: { b: 1, list: [1, 2] }, empty: null });
});

Deno.test("applyOverrides() lets the last of equal settings count", () => {
  assert.deepEqual(applyOverrides(readYaml("", "x"), ["a=1", "a=2"]).value, { a: 2 });
});

Deno.test("applyOverrides() reads values as YAML, and nothing or None as null", () => {
  const settings = ["a=", "b=None", "c='5'", "d=x=y", "e= spaced "];
  assert.deepEqual(applyOverrides(readYaml("", "x"), settings).value, {
    a: null,
    b: null,
    c: "5",
    d: "x=y",
    e: "spaced",
  });
});

Deno.test("applyOverrides() locates what it set at the flag and all else in the file", () => {
  const changed = applyOverrides(source, ["a.b=2"]);
  assert.deepEqual(changed.locate(["a", "b"], "value"), { file: "--set", key: "a.b" });
  assert.deepEqual(changed.locate(["a", "list"], "key"), {
    file: "config.yaml",
    key: "a.list",
    line: 3,
    column: 3,
  });
});

Deno.test("applyOverrides() reports every bad setting", () => {
  assert.deepEqual(
    problemsOf(() =>
      applyOverrides(source, ["a.b", "a..b=1", "=1", "a.b.c=1", "a.list.x=1", 'q="open'])
    ),
    [
      '--set "a.b" cannot be understood: write --set section.key=value',
      '--set "a..b=1" cannot be understood: write --set section.key=value',
      '--set "=1" cannot be understood: write --set section.key=value',
      "--set a.b.c cannot be set as a.b is not a section",
      "--set a.list.x cannot be set as a.list is not a section",
      '--set q:1:6 cannot be read as YAML: Missing closing "quote',
    ],
  );
});

Deno.test("applyOverrides() does not reach into prototypes", () => {
  const changed = applyOverrides(readYaml("", "x"), ["__proto__.polluted=1"]);
  assert.deepEqual(Object.keys(changed.value as object), ["__proto__"]);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

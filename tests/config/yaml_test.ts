/** YAML: what is read as what, and every text that is refused before any schema sees it. */
import assert from "node:assert/strict";
import { readYaml } from "../../src/config/yaml.ts";
import { problemsOf } from "./registries.ts";

function refused(text: string) {
  return problemsOf(() => readYaml(text, "config.yaml"));
}

Deno.test("readYaml() reads None, null, True and False as YAML 1.1 readers mean them", () => {
  const text = "a: None\nb: null\nc: ~\nd:\ne: True\nf: False\ng: [None, {h: None}]\ni: 1e-4\n";
  assert.deepEqual(readYaml(text, "config.yaml").value, {
    a: null,
    b: null,
    c: null,
    d: null,
    e: true,
    f: false,
    g: [null, { h: null }],
    i: 0.0001,
  });
});

Deno.test("readYaml() reads anchors, aliases and merge keys", () => {
  const text = "base: &base {x: 1, y: 2}\nmore:\n  <<: *base\n  y: 3\nsame: *base\n";
  assert.deepEqual(readYaml(text, "config.yaml").value, {
    base: { x: 1, y: 2 },
    more: { x: 1, y: 3 },
    same: { x: 1, y: 2 },
  });
});

Deno.test("readYaml() reads an empty text as null", () => {
  assert.equal(readYaml("", "config.yaml").value, null);
  assert.equal(readYaml("# nothing\n", "config.yaml").value, null);
});

Deno.test("readYaml() locates keys, values, list items and what is behind an alias", () => {
  const source = readYaml("a:\n  b: &x\n    c: 1\n  d: *x\n  e:\n    - f\n    - g\n", "x.yaml");
  assert.deepEqual(source.locate(["a", "b", "c"], "key"), {
    file: "x.yaml",
    key: "a.b.c",
    line: 3,
    column: 5,
  });
  assert.deepEqual(source.locate(["a", "b", "c"], "value"), {
    file: "x.yaml",
    key: "a.b.c",
    line: 3,
    column: 8,
  });
  assert.deepEqual(source.locate(["a", "d", "c"], "value"), {
    file: "x.yaml",
    key: "a.d.c",
    line: 3,
    column: 8,
  });
  assert.deepEqual(source.locate(["a", "e", 1], "value"), {
    file: "x.yaml",
    key: "a.e[1]",
    line: 7,
    column: 7,
  });
  assert.deepEqual(source.locate(["a", "zz"], "value"), {
    file: "x.yaml",
    key: "a.zz",
    line: 1,
    column: 1,
  });
});

const broken: readonly [name: string, text: string, message: string][] = [
  [
    "an open quotation",
    'a: "x\nb: 1\n',
    'config.yaml:3:1 cannot be read as YAML: Missing closing "quote',
  ],
  [
    "a tab as indentation",
    "a:\n\tb: 1\n",
    "config.yaml:2:1 cannot be read as YAML: Tabs are not allowed as indentation",
  ],
  [
    "crooked indentation",
    "a:\n  b: 1\n c: 2\n",
    "config.yaml:3:1 cannot be read as YAML: All mapping items must start at the same column",
  ],
  ["a repeated key", "a: 1\nb: 2\na: 3\n", "config.yaml:3:1 a is there twice: write each key once"],
  [
    "a second document",
    "a: 1\n---\na: 2\n",
    'config.yaml:2:1 holds a second document after "---": one configuration a file',
  ],
  [
    "a tag of another language",
    "a: !!python/object:os.system x\n",
    "config.yaml:1:4 cannot be read as YAML: Unresolved tag: tag:yaml.org,2002:python/object:os.system",
  ],
  [
    "an alias without an anchor",
    "a: 1\nb: *c\n",
    'config.yaml:2:4 cannot be read as YAML: nothing before "*c" is named "&c"',
  ],
  [
    "aliases that multiply",
    "a: &a [x, x, x, x, x, x, x, x, x]\n" +
    [..."bcdef"].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdef"[i]}`)}]\n`).join(
      "",
    ),
    "config.yaml cannot be read as YAML: its aliases expand too far",
  ],
  [
    "an alias of itself",
    "a: &a [*a, *a]\n",
    "config.yaml is nested too deeply: at most 64 levels are allowed",
  ],
  [
    "lists in lists without end",
    "[".repeat(300_000),
    "config.yaml:1:NNN is nested too deeply: at most 64 levels are allowed",
  ],
  [
    "65 levels",
    `${"[".repeat(65)}1${"]".repeat(65)}`,
    "config.yaml is nested too deeply: at most 64 levels are allowed",
  ],
  [
    "10 MB",
    `a: ${"x".repeat(10_000_000)}`,
    "config.yaml cannot be a configuration as it has more than 1048576 bytes",
  ],
  [
    "more than 1 MiB in few characters",
    `a: ${"€".repeat(400_000)}`,
    "config.yaml cannot be a configuration as it has more than 1048576 bytes",
  ],
];

for (const [name, text, message] of broken) {
  Deno.test(`readYaml() refuses ${name}`, () => {
    // Where the parser's stack ends differs between machines.
    const lines = refused(text).map((line) =>
      line.replace(/^config.yaml:1:\d{3,}/, "config.yaml:1:NNN")
    );
    assert.deepEqual(lines, [message]);
  });
}

Deno.test("readYaml() reads 64 levels", () => {
  assert.ok(readYaml(`${"[".repeat(64)}${"]".repeat(64)}`, "config.yaml").value);
});

Deno.test("readYaml() reports every repeated key and counts what it leaves out", () => {
  const lines = refused("a: 1\n".repeat(30));
  assert.equal(lines.length, 21);
  assert.equal(lines[0], "config.yaml:2:1 a is there twice: write each key once");
  assert.equal(lines[20], "and 9 more problems");
});

Deno.test("readYaml() names a repeated merge key as it is written", () => {
  assert.deepEqual(refused("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n"), [
    "config.yaml:4:3 << is there twice: write each key once",
  ]);
});

Deno.test("readYaml() survives more faults than a call has arguments", () => {
  const lines = refused("*a ".repeat(200_000));
  assert.equal(lines[0], "config.yaml:1:4 cannot be read as YAML: Unexpected alias at node end");
  assert.equal(lines.length, 21);
});

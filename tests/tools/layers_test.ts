import assert from "node:assert/strict";
import { join } from "node:path";
import { importsOf } from "../../tools/check_layers.ts";
import { type Import, importCycles, layerOf, wrongArrows } from "../../tools/layers.ts";

function arrow(from: string, to: string, typeOnly = false): Import {
  return { from, to, line: 1, typeOnly };
}

/** Rules that these imports break. */
function rules(...imports: Import[]): string[] {
  return wrongArrows(imports).map(({ rule }) => rule);
}

Deno.test("layerOf() is main, the folder in src, or null", () => {
  assert.equal(layerOf("main.ts"), "main");
  assert.equal(layerOf("src/server/rest/routes.ts"), "server");
  assert.equal(layerOf("src/stray.ts"), null);
  assert.equal(layerOf("tools/dev.ts"), null);
});

Deno.test("wrongArrows() lets arrows point inward and stay in a layer", () => {
  const inward = [
    arrow("main.ts", "src/cli/commands.ts"),
    arrow("src/cli/server.ts", "src/rpc/grpc_transport.ts"),
    arrow("src/session/engine.ts", "src/aggregation/registry.ts"),
    arrow("src/selection/random.ts", "src/core/prng.ts"),
    arrow("src/core/weights.ts", "src/core/errors.ts"),
    arrow("src/core/version.ts", "deno.json"),
  ];
  assert.deepEqual(wrongArrows(inward), []);
});

Deno.test("wrongArrows() names the import that points outward and what is allowed", () => {
  const outward = arrow("src/core/weights.ts", "src/session/engine.ts");
  assert.deepEqual(wrongArrows([outward]), [{ import: outward, rule: "core may import nothing" }]);
  assert.deepEqual(
    rules(arrow("src/selection/random.ts", "src/rpc/grpc_link.ts")),
    ["selection may import core, and types of contract files"],
  );
});

Deno.test("wrongArrows() lets a round name a contract file by type alone", () => {
  const contract = "src/rpc/transport.ts";
  assert.deepEqual(rules(arrow("src/session/engine.ts", contract, true)), []);
  assert.equal(rules(arrow("src/session/engine.ts", contract, false)).length, 1);
  assert.equal(rules(arrow("src/session/engine.ts", "src/rpc/grpc_link.ts", true)).length, 1);
});

Deno.test("wrongArrows() refuses a folder without a row, and imports from outside src", () => {
  assert.deepEqual(
    rules(arrow("src/gossip/peer.ts", "src/core/ids.ts")),
    ["gossip is not in the table of layers"],
  );
  assert.deepEqual(
    rules(arrow("src/cli/server.ts", "tools/demo.ts")),
    ["cli may import from src alone"],
  );
});

Deno.test("importCycles() reports a cycle once, from its first file by name", () => {
  const cycle = [arrow("c.ts", "a.ts"), arrow("b.ts", "c.ts"), arrow("a.ts", "b.ts")];
  assert.deepEqual(importCycles([...cycle, arrow("main.ts", "b.ts")]), [["a.ts", "b.ts", "c.ts"]]);
});

Deno.test("importCycles() sees no cycle in a diamond, nor in one closed by a type", () => {
  const diamond = [
    arrow("a.ts", "b.ts"),
    arrow("a.ts", "c.ts"),
    arrow("b.ts", "d.ts"),
    arrow("c.ts", "d.ts"),
  ];
  assert.deepEqual(importCycles([...diamond, arrow("d.ts", "a.ts", true)]), []);
});

Deno.test("importsOf() reads files: lines, types and a cycle among them", async () => {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "flotilla_layers_" }));
  try {
    const files: Record<string, string> = {
      "deno.json": "{}",
      "src/core/ids.ts": 'import { run } from "../session/run.ts";\nexport const id = run;\n',
      "src/session/run.ts":
        '// A line before.\nimport type { Thing } from "./thing.ts";\nimport { id } from "../core/ids.ts";\nexport const run: Thing = id;\n',
      "src/session/thing.ts": "export type Thing = unknown;\n",
    };
    for (const folder of ["src/core", "src/session"]) {
      await Deno.mkdir(join(root, folder), { recursive: true });
    }
    for (const [file, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(root, file), text);
    }
    const sources = Object.keys(files).filter((file) => file.endsWith(".ts"));
    const imports = await importsOf(root, sources.map((file) => join(root, file)));
    assert.deepEqual(
      imports.map(({ from, to, line, typeOnly }) => `${from}:${line} ${to} ${typeOnly}`).sort(),
      [
        "src/core/ids.ts:1 src/session/run.ts false",
        "src/session/run.ts:2 src/session/thing.ts true",
        "src/session/run.ts:3 src/core/ids.ts false",
      ],
    );
    assert.deepEqual(rules(...imports), ["core may import nothing"]);
    assert.deepEqual(importCycles(imports), [["src/core/ids.ts", "src/session/run.ts"]]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { withAbsolutePlace, withNamedImports, workersIn } from "../../tools/bundle.ts";
import { filesUnder, projectRoot } from "../../tools/project.ts";

Deno.test("withAbsolutePlace() names a file's place below the bundle's root", () => {
  const place = 'new URL("./src/rpc/protos.ts", import.meta.url).href';
  assert.equal(
    withAbsolutePlace('new URL("../../proto", import.meta.url)', "src/rpc/protos.ts"),
    `new URL("../../proto", ${place})`,
  );
});

Deno.test("withAbsolutePlace() leads from the bundle's root to where the source led", () => {
  const source = 'new URL("../../proto/a.proto", import.meta.url).href';
  const staged = withAbsolutePlace(source, "src/rpc/protos.ts");
  const evaluate = new Function("url", `return ${staged.replaceAll("import.meta.url", "url")}`);
  assert.equal(evaluate("file:///bundle/chunk.js"), "file:///bundle/proto/a.proto");
});

const AS_NAMED = ".then((module) => ({ ...module.default, ...module }))";

Deno.test("withNamedImports() gives a package's dynamic import the names of its default", () => {
  assert.equal(
    withNamedImports('const { connect } = await import("mqtt");'),
    `const { connect } = await import("mqtt")${AS_NAMED};`,
  );
  assert.equal(
    withNamedImports('await import(\n  "@grpc/grpc-js",\n)'),
    `await import("@grpc/grpc-js")${AS_NAMED}`,
  );
});

Deno.test("withNamedImports() leaves own files, node modules, types and statements alone", () => {
  for (
    const source of [
      'await import("./server.ts")',
      'await import("node:sqlite")',
      'let module: typeof import("mqtt")',
      'let client: import("mqtt").MqttClient',
      'import { connect } from "mqtt";',
    ]
  ) {
    assert.equal(withNamedImports(source), source);
  }
});

Deno.test("workersIn() finds modules named by address, as paths from the root", () => {
  const source = `
    new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    new URL(
      "../core/other.ts",
      import.meta.url,
    );
    new URL("./data.json", import.meta.url); new URL("./away.ts", base);`;
  assert.deepEqual(
    workersIn(source, "src/training/trainer.ts"),
    ["src/training/worker.ts", "src/core/other.ts"],
  );
});

Deno.test("workersIn() finds the training worker in the tree, and files that exist alone", () => {
  const found = filesUnder("src", ".ts").flatMap((file) =>
    workersIn(Deno.readTextFileSync(`${projectRoot}/${file}`), file)
  );
  assert.ok(found.includes("src/training/worker.ts"), found.join(", "));
  for (const file of found) assert.ok(existsSync(`${projectRoot}/${file}`), file);
});

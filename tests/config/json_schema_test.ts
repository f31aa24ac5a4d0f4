/** The JSON Schemas that editors and `flotilla config --schema` use. */
import assert from "node:assert/strict";
import { CONFIG_KINDS, jsonSchemaOf } from "../../src/config/json_schema.ts";

/** The parts of a JSON Schema that the tests look at. */
interface Node {
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
}

function at(root: Node, ...path: string[]): Node {
  let node = root;
  for (const key of path) {
    const section = [node, ...node.anyOf ?? []].find(({ properties }) => properties !== undefined);
    node = section!.properties![key]!;
  }
  return node;
}

Deno.test("jsonSchemaOf() describes every key of every kind and allows no other", () => {
  for (const kind of CONFIG_KINDS) {
    const undescribed = keysWithoutDescription(jsonSchemaOf(kind) as Node, kind);
    assert.deepEqual(undescribed, []);
  }
});

function keysWithoutDescription(node: Node, path: string): string[] {
  const inside = Object.entries(node.properties ?? {}).flatMap(([key, inner]) => [
    ...inner.description === undefined ? [`${path}.${key}`] : [],
    ...keysWithoutDescription(inner, `${path}.${key}`),
  ]);
  if (node.properties !== undefined) assert.equal(node.additionalProperties, false, path);
  return [...inside, ...(node.anyOf ?? []).flatMap((part) => keysWithoutDescription(part, path))];
}

Deno.test("jsonSchemaOf() knows what must be written and what happens otherwise", () => {
  const schema = jsonSchemaOf("session") as Node;
  assert.deepEqual(schema.required, ["server_training_config", "client_training_config"]);
  assert.deepEqual(at(schema, "client_training_config").required, ["model_id", "dataset"]);
  assert.equal(at(schema, "client_training_config", "batch_size").default, 32);
  assert.equal(at(schema, "session_config", "aggregator").default, "fedavg");
  assert.deepEqual(at(schema, "session_config", "aggregator_args").default, {});
  assert.deepEqual(at(schema, "server_training_config", "num_training_rounds"), {
    type: "integer",
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: "Number of rounds",
  });
  assert.deepEqual(at(jsonSchemaOf("server") as Node, "state", "state_location").anyOf, [
    { enum: ["memory", "inmemory", "sqlite", "redis"], type: "string" },
    { type: "null" },
  ]);
});

Deno.test("jsonSchemaOf() gives plain JSON", () => {
  for (const kind of CONFIG_KINDS) {
    const schema = jsonSchemaOf(kind);
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
    assert.equal(schema.title, `Flotilla ${kind} configuration`);
  }
});

import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { createRest } from "../../../src/server/rest.ts";
import { openApiDocument } from "../../../src/server/rest/openapi.ts";
import { FakeService, parseConfig } from "./fake_service.ts";
import { json } from "./requests.ts";

const app = createRest(new FakeService(), { parseConfig });

Deno.test("GET /openapi.json is a valid OpenAPI 3.1 document", async () => {
  const document = await json<Record<string, unknown>>(app.request("/openapi.json"), 200);
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, "3.1");
  assert.deepEqual(document, JSON.parse(JSON.stringify(openApiDocument())));
});

Deno.test("openApiDocument() describes every route of the app and no other", () => {
  const routes = app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  const described = Object.entries(openApiDocument().paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`)
  );
  assert.ok(routes.length >= 13);
  assert.deepEqual(described.sort(), routes.sort());
});

Deno.test("openApiDocument() refers only to schemas that it holds", () => {
  const document = openApiDocument();
  const known = Object.keys(document.components.schemas);
  const text = JSON.stringify(document);
  const referred = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!));
  const prefix = "#/components/schemas/";
  const unknown = [...referred].filter((ref) => !known.includes(ref.replace(prefix, "")));
  assert.deepEqual(unknown, []);
  for (const name of ["SessionConfig", "Session", "Submission", "ClientList", "Error"]) {
    assert.ok(referred.has(prefix + name), name);
  }
});

Deno.test("openApiDocument() names the keys of a session config with their meaning", () => {
  const text = JSON.stringify(openApiDocument().components.schemas["SessionConfig"]);
  assert.match(text, /"num_training_rounds":{[^}]*"description":"Number of rounds"/);
  assert.match(text, /"required":\["num_training_rounds"\]/);
});

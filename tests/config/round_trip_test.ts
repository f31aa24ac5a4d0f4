/** Any valid configuration, written as YAML, reads as itself; so does one that is read again. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { stringify } from "yaml";
import { CONFIG_KINDS, configSchemas } from "../../src/config/json_schema.ts";
import { parseConfig } from "../../src/config/load.ts";
import { parseSessionConfig, sessionConfigFrom } from "../../src/config/parse_session.ts";
import { sourceOf } from "../../src/config/source.ts";
import { validate } from "../../src/config/validate.ts";
import { registries } from "./registries.ts";

/** Texts that a careless writer or reader of YAML mistakes for something else. */
const texts = fc.oneof(
  fc.constantFrom("null", "true", "1e3", "~", "- a", "a: b", "#", "yes", "0x1F", "@x", "'", "*a"),
  fc.string({ minLength: 1 }).filter((text) => text !== "None"),
);
const numbers = fc.oneof(fc.integer({ min: -5, max: 70_000 }), fc.double(), fc.nat());
const anyJson = fc.jsonValue({ maxDepth: 3 }).filter((value) =>
  // "None" is null, and "<<" merges; both are what the reader means to do.
  !/"None"|"<<"/.test(JSON.stringify(value))
);

/** Valid and invalid values for the kinds of schemas that configurations are made of. */
function candidates(schema: v.GenericSchema): fc.Arbitrary<unknown> {
  const parts = schema as unknown as {
    wrapped?: v.GenericSchema;
    entries?: Record<string, v.GenericSchema>;
    options?: (v.GenericSchema | string)[];
    item?: v.GenericSchema;
    value?: v.GenericSchema;
    literal?: unknown;
  };
  switch (schema.type) {
    case "optional":
    case "nullish":
    case "nullable":
      return fc.option(valid(parts.wrapped!));
    case "strict_object": {
      const entries = Object.entries(parts.entries!);
      const required = entries.filter(([, { type }]) => type !== "nullish" && type !== "optional");
      return fc.record(
        Object.fromEntries(entries.map(([key, entry]) => [key, valid(entry)])),
        { requiredKeys: required.map(([key]) => key) },
      );
    }
    case "union":
      return fc.oneof(...parts.options!.map((option) => valid(option as v.GenericSchema)));
    case "literal":
      return fc.constant(parts.literal);
    case "picklist":
      return fc.constantFrom(...parts.options!);
    case "array":
      return fc.array(valid(parts.item!), { maxLength: 3 });
    case "record":
      return fc.dictionary(fc.stringMatching(/^[a-z0-9]+$/), valid(parts.value!), { maxKeys: 3 });
    case "boolean":
      return fc.boolean();
    case "number":
      return numbers;
    case "string":
      return texts;
    default:
      return anyJson;
  }
}

function valid(schema: v.GenericSchema): fc.Arbitrary<unknown> {
  return candidates(schema).filter((value) => v.is(schema, value));
}

for (const kind of CONFIG_KINDS.filter((kind) => kind !== "session")) {
  const schema = configSchemas[kind];
  Deno.test(`any valid ${kind} configuration reads as itself from YAML`, () => {
    fc.assert(fc.property(valid(schema), (written) => {
      const config = validate(schema, sourceOf(written, "object"));
      assert.deepEqual(validate(schema, sourceOf(config, "object")), config);
      assert.deepEqual(parseConfig(schema, stringify(config), "config.yaml"), config);
      assert.deepEqual(parseConfig(schema, stringify(written), "config.yaml"), config);
    }));
  });
}

Deno.test("any valid session configuration reads as itself from YAML", () => {
  const names = fc.record({
    client_selection: fc.constantFrom("random", "fedavg"),
    client_selection_args: fc.oneof(
      fc.record({ num_clients_per_round: fc.integer({ min: 1 }) }),
      fc.record({ client_fraction: fc.constantFrom(0.1, 1 / 3, 1) }),
      fc.constant({}),
    ),
    aggregator: fc.constant("fedavg"),
    aggregator_args: fc.constant({}),
  });
  const training = fc.record({
    loss_function: fc.constantFrom(...registries.losses),
    optimizer: fc.constantFrom(...registries.optimizers),
    loss_function_custom: fc.constant(true),
    optimizer_custom: fc.constant(true),
  });
  // The registries know the names; the schema alone does not.
  type Sections = Record<string, Record<string, unknown> | null>;
  const trainer = fc.constantFrom(
    { use_custom_trainer: false },
    { use_custom_trainer: true, custom_trainer_args: { mu: 0.1, lr: 0.05 } },
  );
  const sessions = fc.tuple(valid(configSchemas.session), names, training, trainer).map(
    ([config, strategies, builtIn, own]) => ({
      ...config as Sections,
      session_config: { ...(config as Sections).session_config, ...strategies },
      client_training_config: { ...(config as Sections).client_training_config, ...builtIn },
      // Clients are measured with the model that they train, which is the default.
      benchmark_config: { ...(config as Sections).benchmark_config, model_id: null },
      model_config: { ...(config as Sections).model_config, ...own },
    }),
  );
  fc.assert(fc.property(sessions, (written) => {
    const config = sessionConfigFrom(written, "object", registries);
    assert.deepEqual(sessionConfigFrom(config, "object", registries), config);
    assert.deepEqual(parseSessionConfig(stringify(config), "config.yaml", registries), config);
    assert.deepEqual(parseSessionConfig(stringify(written), "config.yaml", registries), config);
  }));
});

import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { modelPackage } from "../../src/core/model_package.ts";
import { withModelDefaults } from "../../src/server/model_defaults.ts";
import { configOf } from "../session/world.ts";

function packageWith(yaml: string) {
  return modelPackage("sum", { "config.yaml": new TextEncoder().encode(yaml) });
}

Deno.test("withModelDefaults() adds the package's arguments that the session does not give", () => {
  const config = configOf();
  const given = { ...config, model_config: { ...config.model_config, model_args: { hidden: 64 } } };
  const held = packageWith(
    "default_training_config:\n  model_args: { hidden: 128, num_classes: 10 }\n",
  );
  const { model_config } = withModelDefaults(given, held);
  assert.deepEqual(model_config.model_args, { hidden: 64, num_classes: 10 });
});

Deno.test("withModelDefaults() refuses an argument that the package does not list", () => {
  const config = configOf();
  const given = { ...config, model_config: { ...config.model_config, model_args: { hiden: 64 } } };
  const lists = (args: string) => packageWith(`default_training_config:\n  model_args: ${args}\n`);
  assert.throws(
    () => withModelDefaults(given, lists("{ hidden: 128 }")),
    /^ConfigError: session config model_config\.model_args\.hiden is not listed in default_training_config\.model_args of sum\/config\.yaml; did you mean "hidden"\? Known: hidden$/,
  );
  const { model_config } = withModelDefaults(given, lists("{}"));
  assert.deepEqual(model_config.model_args, { hiden: 64 }, "a package may list nothing");
});

Deno.test("withModelDefaults() leaves the config alone if the package has no config.yaml", () => {
  const config = configOf();
  assert.equal(withModelDefaults(config, modelPackage("sum", {})), config);
});

Deno.test("withModelDefaults() names file and key of a wrong config.yaml", () => {
  const wrong = packageWith("default_training_config:\n  model_arg: {}\n");
  assert.throws(() => withModelDefaults(configOf(), wrong), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /^sum\/config\.yaml:2:3 .*model_arg/);
    return true;
  });
});

/** Model packages: what builds, and what each broken one says. */
import assert from "node:assert/strict";
import { startBackend, tf } from "../../src/training/backend.ts";
import { buildModel } from "../../src/training/model_source.ts";
import { packageOf } from "./tiny.ts";

await startBackend();

const build = (files: Readonly<Record<string, string>>, args = {}) =>
  buildModel({ modelPackage: packageOf(files), args }, 1);

const DENSE = "tf.layers.dense({ units: 2, inputShape: [3] })";

Deno.test("buildModel() erases the types of model.ts and hands over args", async () => {
  const model = await build({
    "model.ts": `import type { Anything } from "nowhere";
      interface Args { units: number }
      export default function model({ tf }: Anything, args: Args): unknown {
        return tf.sequential({ layers: [tf.layers.dense({ units: args.units as number, inputShape: [3] })] });
      }`,
  }, { units: 7 });
  assert.deepEqual(model.outputs[0]!.shape, [null, 7]);
  model.dispose();
});

Deno.test("buildModel() waits for an async function and takes functional models", async () => {
  const model = await build({
    "model.js": `export default async ({ tf }) => {
      const input = tf.input({ shape: [4, 4, 1] });
      const flat = tf.layers.flatten().apply(tf.layers.conv2d({ filters: 2, kernelSize: 3 }).apply(input));
      return tf.model({ inputs: input, outputs: flat });
    };`,
  });
  assert.deepEqual(model.outputs[0]!.shape, [null, 8]);
  model.dispose();
});

Deno.test("buildModel() reads a bare topology and a saved model.json", async () => {
  const original = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
  const topology = original.toJSON(null, false);
  for (const json of [topology, { format: "layers-model", modelTopology: topology }]) {
    const model = await build({ "model.json": JSON.stringify(json) });
    assert.deepEqual(model.inputs[0]!.shape, [null, 3]);
    model.dispose();
  }
  original.dispose();
});

Deno.test("a model may call methods of tensors", async () => {
  const model = await build({
    "model.js": `export default ({ tf }) => {
      const sum = tf.tensor1d([1, 2]).mul(2).concat(tf.tensor1d([3])).sum().flatten().arraySync()[0];
      return tf.sequential({ layers: [tf.layers.dense({ units: sum, inputShape: [3] })] });
    };`,
  });
  assert.deepEqual(model.outputs[0]!.shape, [null, 9]);
  model.dispose();
});

const broken: Readonly<Record<string, [Readonly<Record<string, string>>, RegExp]>> = {
  "no model file": [{ "config.yaml": "" }, /tiny as it has none of model.json, model.js, model.ts/],
  "two model files": [{ "model.js": "", "model.ts": "" }, /has model.js and model.ts: keep one/],
  "a Python model": [
    { "LeNet5.py": "import torch" },
    /as LeNet5.py is Python: write the model as model.ts/,
  ],
  "a syntax error": [
    { "model.js": "export default (" },
    /Cannot load tiny\/model.js: .*(Expression expected|Unexpected)/,
  ],
  "bad TypeScript": [{ "model.ts": "let x: = 3" }, /Cannot read tiny\/model.ts as TypeScript: /],
  "a module that throws": [
    { "model.js": 'throw new Error("at once")' },
    /Cannot load tiny\/model.js: at once/,
  ],
  "a function that throws": [
    { "model.js": 'export default () => { throw new Error("no units"); };' },
    /^ModelError: Cannot build the model of tiny\/model.js: no units$/,
  ],
  "no default export": [
    { "model.js": "export const model = 1" },
    /default export is undefined: export default function/,
  ],
  "a function that returns nothing": [
    { "model.js": "export default () => null" },
    /function returned null: a tf.LayersModel/,
  ],
  "a model without input shape": [
    { "model.js": "export default ({ tf }) => tf.sequential()" },
    /input shape is open: give its first layer inputShape/,
  ],
  "a model with two inputs": [
    {
      "model.js": `export default ({ tf }) => {
        const inputs = [tf.input({ shape: [2] }), tf.input({ shape: [2] })];
        return tf.model({ inputs, outputs: tf.layers.add().apply(inputs) });
      };`,
    },
    /with 2 inputs and 1 outputs: one of each/,
  ],
  "a topology that is no JSON": [
    { "model.json": "{" },
    /Cannot build a model of tiny\/model.json: /,
  ],
  "a topology of unknown layers": [
    {
      "model.json":
        '{"class_name":"Sequential","config":{"layers":[{"class_name":"Magic","config":{}}]}}',
    },
    /Cannot build a model of tiny\/model.json: .*Magic/s,
  ],
  "an import": [
    { "model.js": `import x from "somewhere"; export default ({ tf }) => ${DENSE};` },
    /Cannot use tiny\/model.js as it imports \(import x from "somewhere"\): a model may import/,
  ],
};
for (const [what, [files, expected]] of Object.entries(broken)) {
  Deno.test(`buildModel() refuses ${what}`, async () => {
    await assert.rejects(build(files), (error: Error) => {
      assert.equal(error.name, "ModelError");
      assert.match(String(error), expected);
      assert.ok(!error.message.includes("data:text"), error.message);
      return true;
    });
  });
}

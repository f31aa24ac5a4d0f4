import assert from "node:assert/strict";
import { readPackage } from "../../src/config/read_package.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { packageModelArgs } from "../../src/server/model_defaults.ts";
import { type BuiltModel, describeBuilt } from "../../src/training/built_model.ts";
import { buildModel } from "../../src/training/model_source.ts";
import { compareTraining } from "./step/compare_training.ts";

const MODELS = new URL("../../models/", import.meta.url);

/** Arguments with which tfjs's own kernels do 50 steps in seconds, without random layers. */
const SMALL: Readonly<Record<string, JsonObject>> = {
  AlexNet: { width: 2, hidden: 16, dropout: 0 },
  CharLSTM: { num_classes: 12, length: 7, units: 9 },
  FedAT_CNN: { width: 2, hidden: 16 },
  LSTM: { steps: 6, features: 2, units: 5, outputs: 3 },
  LeNet5: {},
  Linear: { inputs: 4, outputs: 3 },
  MLP: {},
  MobileNet: { width: 4, image_size: 16 },
  ResNet: { width: 3, blocks: 1, image_size: 16 },
  TableMLP: { inputs: 4, hidden: [8, 8], outputs: 3 },
  VGG: { width: 2, hidden: 16, image_size: 16 },
};

/**
 * Low, as with large steps tfjs does not even agree with itself: a change of the weights by one part
 * in 10 million turns some ReLU over, and batch norm makes much of that within some steps.
 */
const LEARNING_RATE = 0.001;

async function build(name: string, args: JsonObject): Promise<BuiltModel> {
  const folder = new URL(name, MODELS).pathname;
  const source = { modelPackage: await readPackage(folder, name), args };
  return describeBuilt(await buildModel(source, 1));
}

Deno.test("the zoo holds the models that these tests train", () => {
  const names = [...Deno.readDirSync(MODELS)].map(({ name }) => name).sort();
  assert.deepEqual(names, Object.keys(SMALL));
});

Deno.test("each package of the zoo lists the arguments that its model reads", async () => {
  for (const name of Object.keys(SMALL)) {
    const modelPackage = await readPackage(new URL(name, MODELS).pathname, name);
    const listed = packageModelArgs(modelPackage);
    const read = new Set<string>();
    const noting = new Proxy(listed, {
      get(args, key) {
        read.add(String(key));
        return Reflect.get(args, key);
      },
    });
    await buildModel({ modelPackage, args: noting }, 1);
    assert.deepEqual([...read].sort(), Object.keys(listed).sort(), name);
  }
});

for (const [name, args] of Object.entries(SMALL)) {
  Deno.test(`models/${name} trains compiled as tfjs trains it, for 50 steps`, async () => {
    const built = await build(name, args);
    const { lossDifference, wayDifference } = compareTraining(built, {
      samples: 5,
      steps: 50,
      learningRate: LEARNING_RATE,
    });
    assert(lossDifference < 1e-3, `losses differ by ${lossDifference}`);
    assert(wayDifference < 1e-2, `weights went ${wayDifference} of their way elsewhere`);
  });
}

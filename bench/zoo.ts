/** The models of `models/` in the sizes in which they are measured, with what they take. */
import { readPackage } from "../src/config/read_package.ts";
import type { JsonObject } from "../src/core/json.ts";
import type { ModelSource } from "../src/training/trainer.ts";

/** A model that can be measured. */
export interface ZooModel {
  /** Of an item. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly args: JsonObject;
  /** Items are class numbers, such as characters, in place of pixels. */
  readonly takesNumbers?: boolean;
}

const COLOUR = { shape: [32, 32, 3], classes: 10, args: {} };

/** By the name of the folder. */
export const ZOO: Readonly<Record<string, ZooModel>> = {
  MLP: { shape: [28, 28, 1], classes: 10, args: {} },
  LeNet5: { shape: [32, 32, 1], classes: 10, args: { image_size: 32 } },
  FedAT_CNN: COLOUR,
  MobileNet: COLOUR,
  ResNet: COLOUR,
  AlexNet: COLOUR,
  VGG: COLOUR,
  CharLSTM: { shape: [40], classes: 80, args: {}, takesNumbers: true },
  LSTM: { shape: [20, 1], classes: 10, args: { outputs: 10 } },
  Linear: { shape: [16], classes: 10, args: { inputs: 16, outputs: 10 } },
  TableMLP: { shape: [16], classes: 10, args: { inputs: 16, outputs: 10 } },
};

/** A model's package with its arguments, or others. */
export async function zooSource(model: string, args = ZOO[model]!.args): Promise<ModelSource> {
  const folder = new URL(`../models/${model}`, import.meta.url).pathname;
  return { modelPackage: await readPackage(folder, model), args };
}

/** What benchmarks train: one epoch of plain SGD. */
import type { TrainingSettings } from "../src/training/trainer.ts";

export const SGD_EPOCH: TrainingSettings = {
  batchSize: 32,
  epochs: 1,
  learningRate: 0.01,
  loss: "crossentropy",
  optimizer: "sgd",
  optimizerArgs: {},
  timeLimitSeconds: null,
  maxMiniBatches: null,
};

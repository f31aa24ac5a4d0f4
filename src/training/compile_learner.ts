/** Learners of models that are built. */
import type { Arithmetic } from "../kernels/mod.ts";
import { type Dataset, itemKind } from "../data/dataset.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import type { BuiltModel } from "./built_model.ts";
import { CompiledLearner, type RunOptions } from "./compiled_learner.ts";
import type { BatchSizes, LearnerSettings } from "./learner.ts";
import { RecordingCompiler } from "./recording_compiler.ts";

/** What steps are compiled for. */
export interface CompileOptions extends RunOptions {
  /** @default as chosen */
  readonly arithmetic?: Arithmetic;
}

/**
 * Records the first step of a model. The others are recorded, and each is compiled, when the first
 * batch of its size comes.
 *
 * @param batchSizes of training and of evaluation, those that will be needed for certain
 * @throws {NotRecordable} the model's step cannot be recorded; a step of another size throws the same
 * @throws {ModelError} a step needs more memory than there is
 */
export function compileLearner(
  built: BuiltModel,
  settings: LearnerSettings,
  dataset: Dataset,
  batchSizes: BatchSizes,
  { arithmetic = chosenArithmetic(), ...options }: CompileOptions = {},
): CompiledLearner {
  const items = itemKind(dataset);
  const compiler = new RecordingCompiler(built, settings, items, batchSizes, arithmetic);
  const { description: { layout }, outputShape } = built;
  const source = { residence: compiler.residence, compiler };
  return new CompiledLearner({ layout, outputShape }, settings, dataset, source, options);
}

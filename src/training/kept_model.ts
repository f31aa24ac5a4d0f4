/** The model that a worker built last: rounds repeat it. */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { allocateWeights } from "../core/weights.ts";
import { areKernelsStarted, startKernels, tf } from "./backend.ts";
import { type BuiltModel, copyWeights, describeBuilt, variableOf } from "./built_model.ts";
import { modelKey } from "./model_key.ts";
import { buildModel } from "./model_source.ts";
import type { InitialModel, ModelSource } from "./trainer.ts";
import { withUnsetWeights } from "./unset_weights.ts";

/** One built model; everything that its code made is freed when another one is built. */
export class KeptModel {
  #kept: { readonly key: string; readonly built: BuiltModel } | null = null;

  /** Whether this source's model is the one that is kept. */
  has(source: ModelSource): boolean {
    return this.#kept?.key === modelKey(source);
  }

  /**
   * Builds a model with seeded initial weights, in place of the one that was kept.
   *
   * @throws {ModelError} as `buildModel`
   */
  async build(source: ModelSource, seed: number): Promise<BuiltModel> {
    await startKernels();
    return await this.#keep(source, () => buildModel(source, seed));
  }

  /**
   * Initial weights of a model, and what else its first round needs; no model is kept.
   *
   * @throws {ModelError} as `buildModel`
   */
  async initialise(source: ModelSource, seed: number): Promise<InitialModel> {
    const built = await this.build(source, seed);
    const { layout, topology } = built.description;
    const encoded = allocateWeights(layout);
    await copyWeights(built, encoded.values);
    this.forget();
    return {
      ...{ weights: encoded.bytes, layout, topology },
      inputShape: built.model.inputs[0]!.shape.slice(1) as number[],
      outputShape: built.outputShape,
    };
  }

  /**
   * The model of a source, whatever its weights are.
   *
   * @throws {ModelError} as `buildModel`
   */
  async of(source: ModelSource): Promise<BuiltModel> {
    if (this.#kept?.key === modelKey(source)) return this.#kept.built;
    const built = await this.#keepUnset(source);
    // Variables that are no weights of the model keep what they begin with, so that must be drawn.
    return hasOtherVariables(built) ? await this.build(source, 0) : built;
  }

  /** Frees the model that was kept. */
  forget(): void {
    if (this.#kept === null) return;
    this.#kept = null;
    endModel();
  }

  async #keep(source: ModelSource, build: () => Promise<LayersModel>): Promise<BuiltModel> {
    this.forget();
    // Everything that its code makes lives until the model is forgotten.
    tf.engine().startScope();
    try {
      const built = describeBuilt(await build());
      this.#kept = { key: modelKey(source), built };
      return built;
    } catch (error) {
      endModel();
      throw error;
    }
  }

  async #keepUnset(source: ModelSource): Promise<BuiltModel> {
    const keep = () => this.#keep(source, () => withUnsetWeights(() => buildModel(source, 0)));
    if (areKernelsStarted()) return await keep();
    try {
      return await keep();
    } catch {
      // Few models compute something when they are built; what else is wrong is so again.
      await startKernels();
      return await keep();
    }
  }
}

function hasOtherVariables({ model }: BuiltModel): boolean {
  const own = new Set(model.weights.map(variableOf));
  return Object.values(tf.engine().registeredVariables).some((variable) => !own.has(variable));
}

function endModel(): void {
  tf.engine().endScope();
  tf.disposeVariables();
}

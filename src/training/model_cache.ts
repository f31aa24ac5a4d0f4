/** The model that the worker used last, with what was compiled for it: rounds repeat it. */
import type { Dataset } from "../data/dataset.ts";
import { tf } from "./backend.ts";
import { type BuiltModel, describeBuilt } from "./built_model.ts";
import { compileLearner } from "./compiled_learner.ts";
import { EagerLearner } from "./eager_learner.ts";
import type { Learner, LearnerSettings } from "./learner.ts";
import { buildModel } from "./model_source.ts";
import { NotRecordable } from "./step/not_recordable.ts";
import type { EndFlag } from "./threads/barrier.ts";
import type { ModelSource } from "./trainer.ts";

/** What a learner is needed for. */
export interface LearnerNeeds {
  readonly settings: LearnerSettings;
  /** Sizes of the batches to come. */
  readonly batches: { readonly train: readonly number[]; readonly evaluate: readonly number[] };
}

/** The sizes of batches into which so many items are cut: full ones and a smaller last one. */
export function batchSizes(items: number, batchSize: number): number[] {
  const full = items >= batchSize ? [batchSize] : [];
  return items % batchSize === 0 ? full : [...full, items % batchSize];
}

interface Cached {
  readonly key: string;
  readonly built: BuiltModel;
  readonly learners: Map<string, Learner>;
}

/** One built model and its learners. */
export class ModelCache {
  readonly #notice: (text: string) => void;
  readonly #noticed = new Set<string>();
  /** Threads that share the steps of learners made from now on. */
  threads = 1;
  /** Ends these threads. */
  ended: EndFlag = new Int32Array(new SharedArrayBuffer(4));
  #cached: Cached | null = null;

  /** @param notice told what a person should know, such as of a model that cannot be compiled */
  constructor(notice: (text: string) => void) {
    this.#notice = notice;
  }

  /**
   * Builds a model with seeded initial weights, in place of the one that was kept.
   *
   * @throws {ModelError} as `buildModel`
   */
  async build(source: ModelSource, seed: number): Promise<BuiltModel> {
    this.forget();
    // Everything that its code makes lives until the model is forgotten.
    tf.engine().startScope();
    try {
      const built = describeBuilt(await buildModel(source, seed));
      this.#cached = { key: keyOf(source), built, learners: new Map() };
      return built;
    } catch (error) {
      endModel();
      throw error;
    }
  }

  /** The model of a source, whatever its weights are. */
  async of(source: ModelSource): Promise<BuiltModel> {
    if (this.#cached?.key === keyOf(source)) return this.#cached.built;
    return await this.build(source, 0);
  }

  /**
   * What trains and evaluates the model built last.
   *
   * @throws {ModelError} unknown loss or optimizer, or too little memory
   */
  learnerFor(dataset: Dataset, { settings, batches }: LearnerNeeds): Learner {
    const { built, learners } = this.#cached!;
    const { shape, items, normalise } = dataset;
    const key = JSON.stringify([settings, shape, items.constructor.name, normalise]);
    let learner = learners.get(key);
    if (learner === undefined) {
      learner = this.#makeLearner(built, dataset, { settings, batches });
      learners.set(key, learner);
    }
    learner.useDataset(dataset);
    return learner;
  }

  #makeLearner(built: BuiltModel, dataset: Dataset, { settings, batches }: LearnerNeeds): Learner {
    try {
      return compileLearner(built, settings, dataset, batches, {
        threads: this.threads,
        ended: this.ended,
      });
    } catch (error) {
      if (!(error instanceof NotRecordable)) throw error;
      const alone = this.threads > 1 ? " and on one thread" : "";
      this.noticeOnce(
        `Model trains slowly, kernel by kernel in tfjs${alone}, as its step cannot be compiled: ` +
          error.reason,
      );
      return new EagerLearner(built, settings, dataset);
    }
  }

  /** Tells a person something, the first time. */
  noticeOnce(text: string): void {
    if (this.#noticed.has(text)) return;
    this.#noticed.add(text);
    this.#notice(text);
  }

  /** Frees the model that was kept. */
  forget(): void {
    if (this.#cached === null) return;
    for (const learner of this.#cached.learners.values()) learner.dispose();
    this.#cached = null;
    endModel();
  }
}

function endModel(): void {
  tf.engine().endScope();
  tf.disposeVariables();
}

function keyOf({ modelPackage, args }: ModelSource): string {
  return JSON.stringify([modelPackage.id, modelPackage.hash, args]);
}

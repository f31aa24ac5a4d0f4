/** Compiles the steps of a model that is built here, and records each when it is first needed. */
import type { ItemKind } from "../data/dataset.ts";
import type { Arithmetic, MemoryImport } from "../kernels/mod.ts";
import { batchShape } from "./batch_shape.ts";
import type { BuiltModel } from "./built_model.ts";
import { type BatchSizes, firstStep, type LearnerSettings } from "./learner.ts";
import type { Mode, Residence } from "./step/program.ts";
import { record } from "./step/record.ts";
import { type Compiler, type ExplainedProgram, settle, StepCompiler } from "./step_compiler.ts";

/** As a {@link StepCompiler} that has every step. */
export class RecordingCompiler implements Compiler {
  readonly #built: BuiltModel;
  readonly #settings: LearnerSettings;
  readonly #compiler: StepCompiler;

  /**
   * Records the first step.
   *
   * @param items that all steps read
   * @param batchSizes of training and of evaluation, those that will be needed for certain
   * @throws {NotRecordable} the model's step cannot be recorded; a step of another size throws the same
   */
  constructor(
    built: BuiltModel,
    settings: LearnerSettings,
    items: ItemKind,
    batchSizes: BatchSizes,
    arithmetic: Arithmetic,
  ) {
    this.#built = built;
    this.#settings = settings;
    const [mode, size] = firstStep(settings, batchSizes);
    const first = record(built, settings, mode, batchShape(size));
    const residence = settle(built.description.layout, first);
    this.#compiler = new StepCompiler(residence, items, arithmetic);
    this.#compiler.add(mode, size, first);
  }

  get residence(): Residence {
    return this.#compiler.residence;
  }

  has(): boolean {
    return true;
  }

  /**
   * As {@link StepCompiler.compile}.
   *
   * @throws {NotRecordable} the model's step cannot be recorded
   */
  compile(mode: Mode, size: number, threads: number, memory: MemoryImport): ExplainedProgram {
    if (!this.#compiler.has(mode, size)) {
      const step = record(this.#built, this.#settings, mode, batchShape(size));
      this.#compiler.add(mode, size, step);
    }
    return this.#compiler.compile(mode, size, threads, memory);
  }
}

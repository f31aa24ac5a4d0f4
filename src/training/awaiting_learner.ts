/**
 * Trains by steps that were compiled before, and waits for the compiler when another one is needed:
 * most workers never need it, nor the libraries that it is made of.
 */
import type { Dataset } from "../data/dataset.ts";
import type { CompiledLearner } from "./compiled_learner.ts";
import type { BatchOutcome, Learner, TrainingStart } from "./learner.ts";
import type { LearnerProgram, Mode } from "./step/program.ts";
import type { Compiler } from "./step_compiler.ts";

/** A compiler that has the step for batches of a size. */
export type CompilerOf = (mode: Mode, size: number) => Promise<Compiler>;

/** A learner whose compiler comes when it is called for. */
export class AwaitingLearner implements Learner {
  readonly device = "cpu";
  readonly #learner: CompiledLearner;
  readonly #compiler: CompilerOf;
  readonly #onStep: () => void;
  /** The end of all steps that wait. */
  #waiting: Promise<void> | null = null;

  /**
   * @param compiler for the same model, settings and items
   * @param onStep called when a step is done that had to be compiled
   */
  constructor(learner: CompiledLearner, compiler: CompilerOf, onStep: () => void) {
    this.#learner = learner;
    this.#compiler = compiler;
    this.#onStep = onStep;
  }

  get threads(): number {
    return this.#learner.threads;
  }

  get program(): LearnerProgram {
    return this.#learner.program;
  }

  /** Whether the step for batches of this size is there. */
  has(mode: Mode, size: number): boolean {
    return this.#learner.has(mode, size);
  }

  useDataset(dataset: Dataset): void {
    this.#learner.useDataset(dataset);
  }

  setWeights(values: Float32Array): void {
    this.#learner.setWeights(values);
  }

  copyWeights(into: Float32Array): void {
    this.#learner.copyWeights(into);
  }

  startTraining(start: TrainingStart): void {
    this.#learner.startTraining(start);
  }

  train(batch: Int32Array): BatchOutcome | Promise<BatchOutcome> {
    return this.#inOrder("train", batch, (own) => this.#learner.train(own));
  }

  evaluate(batch: Int32Array): BatchOutcome | Promise<BatchOutcome> {
    return this.#inOrder("evaluate", batch, (own) => this.#learner.evaluate(own));
  }

  dispose(): void {
    this.#learner.dispose();
  }

  /** Runs a step now, or when those before it and its compiler are ready. */
  #inOrder(
    mode: Mode,
    batch: Int32Array,
    run: (batch: Int32Array) => BatchOutcome,
  ): BatchOutcome | Promise<BatchOutcome> {
    const { length: size } = batch;
    if (this.#waiting === null && this.#learner.has(mode, size)) return run(batch);
    // Whoever asks may shuffle the order that the batch is a part of meanwhile.
    const own = batch.slice();
    const turn = (this.#waiting ?? Promise.resolve()).then(async () => {
      if (this.#learner.has(mode, size)) return run(own);
      this.#learner.useCompiler(await this.#compiler(mode, size));
      const outcome = run(own);
      this.#onStep();
      return outcome;
    });
    const end = turn.then(() => {}, () => {}).then(() => {
      if (this.#waiting === end) this.#waiting = null;
    });
    this.#waiting = end;
    return turn;
  }
}

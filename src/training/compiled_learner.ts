/**
 * Trains by compiled steps: for each batch size one WebAssembly module, all on one memory that
 * holds weights and the optimizer's moments. A batch costs no tensor and no garbage of its size.
 */
import { FlotillaError, ModelError } from "../core/errors.ts";
import { type Dataset, elements, type Rows, rowsOf } from "../data/dataset.ts";
import { countRight } from "./accuracy.ts";
import { batchShape, stepKey } from "./batch_shape.ts";
import { KernelMemory } from "./kernel_memory.ts";
import type { BatchOutcome, Learner, LearnerSettings, TrainingStart } from "./learner.ts";
import { optimizerRule, type StepScalars } from "./optimizer_rules.ts";
import { type BlockPlaces, blockPlaces } from "./step/blocks.ts";
import type { LearnerProgram, Mode, ModelFacts, Residence, StepProgram } from "./step/program.ts";
import type { Compiler } from "./step_compiler.ts";
import { fillTargets } from "./targets.ts";
import type { EndFlag } from "./threads/barrier.ts";
import { StepThreads } from "./threads/step_threads.ts";

/** A step's program in memory. */
export interface LoadedStep {
  readonly program: StepProgram;
  readonly step: () => void;
  /** Where the labels and targets that it reads, if any, and its outputs are, block by block. */
  readonly labels: readonly BlockPlaces[];
  readonly targets: readonly BlockPlaces[];
  readonly outputs: readonly BlockPlaces[];
}

/** How steps run; their results are the same for any number of threads. */
export interface RunOptions {
  /** @default 1 */
  readonly threads?: number;
  /** Ends the threads, as they outlive their starter. @default never set */
  readonly ended?: EndFlag;
  /** Milliseconds that threads may take to start. @default {10000} */
  readonly startLimitMs?: number;
  /** Told why threads cannot be used, once for each reason or more. @default {() => {}} */
  readonly onNotice?: (text: string) => void;
}

/** Where a learner's steps come from. */
export interface StepSource {
  /** Places of what outlives a step. */
  readonly residence: Residence;
  /** Steps that were compiled before. @default none */
  readonly steps?: LearnerProgram["steps"];
  /** Compiles the others. @default null, until it is given one */
  readonly compiler?: Compiler | null;
}

/** Trains and evaluates by programs. */
export class CompiledLearner implements Learner {
  readonly device = "cpu";
  readonly #facts: ModelFacts;
  readonly #memory: KernelMemory;
  readonly #stepThreads: StepThreads;
  readonly #onNotice: (text: string) => void;
  readonly #programs: Record<string, StepProgram>;
  readonly #loaded = new Map<string, LoadedStep>();
  readonly #scalars: StepScalars;
  readonly #residence: Residence;
  #compiler: Compiler | null;
  #threads: number;
  #dataset: Dataset;
  #rows: Rows;
  /** The step whose constants are in memory. */
  #current: LoadedStep | null = null;
  #steps = 0;
  /** A lone sample and its copy. */
  readonly #twice = new Int32Array(2);

  constructor(
    facts: ModelFacts,
    { optimizer }: LearnerSettings,
    dataset: Dataset,
    { residence, steps, compiler = null }: StepSource,
    { threads = 1, ended, startLimitMs, onNotice = () => {} }: RunOptions,
  ) {
    this.#facts = facts;
    this.#compiler = compiler;
    this.#programs = { ...steps };
    this.#residence = residence;
    const { rule, args } = optimizer === null
      ? { rule: null, args: {} }
      : optimizerRule(optimizer.name, optimizer.args);
    this.#scalars = rule?.scalars?.(args) ?? {};
    this.#threads = threads;
    this.#onNotice = onNotice;
    this.#memory = new KernelMemory(threads > 1);
    this.#memory.reserve(this.#residence.base);
    this.#stepThreads = new StepThreads(this.#memory, {
      ...(ended === undefined ? {} : { ended }),
      ...(startLimitMs === undefined ? {} : { startLimitMs }),
    });
    this.#dataset = dataset;
    this.#rows = rowsOf(dataset);
  }

  get threads(): number {
    return this.#threads;
  }

  /** All programs there are by now. */
  get program(): LearnerProgram {
    return { residence: this.#residence, steps: this.#programs };
  }

  /**
   * Takes what compiles the steps that are in no program.
   *
   * @throws {TypeError} it is for another model or another way of training
   */
  useCompiler(compiler: Compiler): void {
    if (JSON.stringify(compiler.residence) !== JSON.stringify(this.#residence)) {
      throw new TypeError("Cannot compile steps for weights that lie elsewhere");
    }
    this.#compiler = compiler;
  }

  useDataset(dataset: Dataset): void {
    this.#dataset = dataset;
    this.#rows = rowsOf(dataset);
  }

  setWeights(values: Float32Array): void {
    this.#facts.layout.forEach(({ offset, size }, slot) => {
      this.#memory.floats.set(values.subarray(offset, offset + size), this.#variable(slot));
    });
  }

  copyWeights(into: Float32Array): void {
    this.#facts.layout.forEach(({ offset, size }, slot) => {
      const start = this.#variable(slot);
      into.set(this.#memory.floats.subarray(start, start + size), offset);
    });
  }

  startTraining({ learningRate, random }: TrainingStart): void {
    const { moments, anchors, scalars, generators } = this.#residence;
    for (const { address, size } of moments) {
      this.#memory.floats.fill(0, address / 4, address / 4 + size);
    }
    for (const { slot, of } of anchors) {
      const start = this.#variable(of);
      const { size } = this.#facts.layout[of]!;
      this.#memory.floats.copyWithin(this.#variable(slot), start, start + size);
    }
    this.#memory.floats[scalars["learning rate"]! / 4] = learningRate;
    this.#memory.floats[scalars["minus learning rate"]! / 4] = -learningRate;
    this.#steps = 0;
    const { address, words } = generators;
    const state = new Uint32Array(this.#memory.bytes.buffer, address, words);
    for (let i = 0; i < words; i++) state[i] = random() * 2 ** 32;
  }

  train(batch: Int32Array): BatchOutcome {
    const loaded = this.stepFor("train", batch.length);
    this.#steps += 1;
    for (const [name, valueAt] of Object.entries(this.#scalars)) {
      this.#memory.floats[this.#residence.scalars[name]! / 4] = valueAt(this.#steps);
    }
    return this.#run(loaded, batch);
  }

  evaluate(batch: Int32Array): BatchOutcome {
    return this.#run(this.stepFor("evaluate", batch.length), batch);
  }

  dispose(): void {
    this.#loaded.clear();
    this.#stepThreads.close();
  }

  /**
   * The step for batches of this size, compiled.
   *
   * @throws {NotRecordable} the model's step cannot be recorded
   * @throws {ModelError} the step needs more memory than there is
   */
  stepFor(mode: Mode, size: number): LoadedStep {
    const key = stepKey(mode, batchShape(size));
    let loaded = this.#loaded.get(key);
    if (loaded === undefined) {
      loaded = this.#load(key, mode, size);
      this.#loaded.set(key, loaded);
    }
    return loaded;
  }

  /** Whether the step for batches of this size is there, or can be made. */
  has(mode: Mode, size: number): boolean {
    const isCompiled = stepKey(mode, batchShape(size)) in this.#programs;
    return isCompiled || (this.#compiler?.has(mode, size) ?? false);
  }

  #load(key: string, mode: Mode, size: number): LoadedStep {
    if (this.#threads > 1) {
      try {
        return this.#loadFor(key, mode, size, this.#threads);
      } catch (error) {
        this.#doWithoutThreads(error);
      }
    }
    return this.#loadFor(key, mode, size, 1);
  }

  #loadFor(key: string, mode: Mode, size: number, threads: number): LoadedStep {
    const { imported } = this.#memory;
    const { calls: _, ...program }: StepProgram & { calls?: unknown } = this.#programs[key] ??
      this.#compiler!.compile(mode, size, threads, imported);
    const step = program.threads > 1
      ? this.#stepThreads.load(program)
      : this.#memory.instantiate(program.bytes, program.top)["step"] as () => void;
    this.#programs[key] = program;
    const { inputs: { labels, targets }, outputs, lanes, blocks } = program;
    const units = elements(this.#facts.outputShape);
    const places = (address: number | undefined, numbers: number) =>
      address === undefined ? [] : blockPlaces(address, numbers, lanes, blocks);
    return {
      ...{ program, step },
      labels: places(labels, 1),
      targets: places(targets, units),
      outputs: places(outputs, units),
    };
  }

  /** One thread computes the same, so threads that cannot be used cost time and no more. */
  #doWithoutThreads(error: unknown): void {
    if (!(error instanceof FlotillaError)) throw error;
    this.#onNotice(`Training goes on with one thread for a step: ${error.message}`);
    // Threads that need too much memory for this step may go on with others.
    if (error instanceof ModelError) return;
    this.#threads = 1;
    this.#loaded.clear();
    this.#current = null;
  }

  #variable(slot: number): number {
    return this.#residence.variables[slot]! / 4;
  }

  #run(loaded: LoadedStep, batch: Int32Array): BatchOutcome {
    const { program } = loaded;
    if (this.#current !== loaded) {
      for (const { address, values } of program.constants) {
        this.#memory.floats.set(values, address / 4);
      }
      this.#current = loaded;
    }
    const rows = batch.length < program.samples ? this.#twice.fill(batch[0]!) : batch;
    this.#stageItems(program, rows);
    this.#stageLabels(loaded, rows);
    this.#stageTargets(loaded, rows);
    loaded.step();
    const right = this.#countRight(loaded, batch);
    return { loss: this.#memory.floats[program.loss / 4]!, right };
  }

  #stageItems({ inputs, staging, itemBytes }: StepProgram, batch: Int32Array): void {
    if (inputs["items"] === undefined) return;
    this.#rows.read(batch, this.#memory.bytes.subarray(staging), itemBytes);
  }

  #stageLabels({ labels: places }: LoadedStep, batch: Int32Array): void {
    const { labels } = this.#dataset;
    for (const { first, count, start } of places) {
      for (let n = 0; n < count; n++) {
        const item = batch[first + n];
        this.#memory.floats[start + n] = item === undefined ? -1 : labels[item]!;
      }
    }
  }

  #stageTargets({ targets }: LoadedStep, batch: Int32Array): void {
    const { outputShape } = this.#facts;
    const { floats } = this.#memory;
    for (const places of targets) {
      const { first, count, start } = places;
      floats.fill(0, start, start + elements(outputShape) * count);
      const own = batch.subarray(first, first + count);
      fillTargets(this.#dataset, own, outputShape, floats, places);
    }
  }

  #countRight({ outputs }: LoadedStep, batch: Int32Array): number | null {
    const units = elements(this.#facts.outputShape);
    let right = 0;
    for (const places of outputs) {
      const own = batch.subarray(places.first, places.first + places.count);
      const inBlock = countRight(this.#memory.floats, own, this.#dataset, units, places);
      if (inBlock === null) return null;
      right += inBlock;
    }
    return right;
  }
}

/**
 * Trains by compiled steps: for each batch size one WebAssembly module, all on one memory that
 * holds weights and the optimizer's moments. A batch costs no tensor and no garbage of its size.
 */
import { FlotillaError, ModelError } from "../core/errors.ts";
import { type Dataset, elements, type Rows, rowsOf } from "../data/dataset.ts";
import { type Arithmetic, loadBatch, uniform, UNIFORM_STATE } from "../kernels/mod.ts";
import { countRight } from "./accuracy.ts";
import { chosenArithmetic } from "./arithmetic_choice.ts";
import { type BatchShape, batchShape, loadShape } from "./batch_shape.ts";
import { fillTargets } from "./batches.ts";
import { leaveGarbage } from "./garbage.ts";
import { KernelMemory } from "./kernel_memory.ts";
import type { BuiltModel } from "./built_model.ts";
import type {
  BatchOutcome,
  BatchSizes,
  Learner,
  LearnerSettings,
  TrainingStart,
} from "./learner.ts";
import { lossOf } from "./losses.ts";
import { Arena } from "./step/memory_plan.ts";
import type { StepScalars } from "./optimizer_rules.ts";
import { optimise } from "./step/passes/optimise.ts";
import { type ExtraCalls, type Plan, planStep } from "./step/plan.ts";
import { type RecordedStep, recordEvaluation, recordStep } from "./step/record.ts";
import { blockPlaces, LANES } from "./step/blocks.ts";
import type { Resident } from "./step/sources.ts";
import { planThreads } from "./step/threaded_plan.ts";
import type { EndFlag } from "./threads/barrier.ts";
import { StepThreads } from "./threads/step_threads.ts";
import { sizeOf, type StepGraph } from "./step/graph.ts";

type Mode = "train" | "evaluate";

/** A plan in memory. */
export interface LoadedPlan {
  readonly plan: Plan;
  readonly samples: number;
  readonly lanes: number;
  /** Address of the stored items. */
  readonly staging: number;
  readonly itemBytes: number;
  readonly step: () => void;
}

/** What steps are compiled for; their results are the same for any number of threads. */
export interface CompileOptions {
  /** @default as chosen */
  readonly arithmetic?: Arithmetic;
  /** @default 1 */
  readonly threads?: number;
  /** Ends the threads, as they outlive their starter. @default never set */
  readonly ended?: EndFlag;
  /** Milliseconds that threads may take to start. @default {10000} */
  readonly startLimitMs?: number;
  /** Told why threads cannot be used, once for each reason or more. @default {() => {}} */
  readonly onNotice?: (text: string) => void;
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
  options: CompileOptions = {},
): CompiledLearner {
  const learner = new CompiledLearner(built, settings, dataset, options);
  const [train] = batchSizes.train, [evaluate] = batchSizes.evaluate;
  if (train !== undefined) learner.prepare("train", train);
  else if (evaluate !== undefined) learner.prepare("evaluate", evaluate);
  return learner;
}

/** Trains and evaluates by plans. */
export class CompiledLearner implements Learner {
  readonly device = "cpu";
  readonly #built: BuiltModel;
  readonly #settings: LearnerSettings;
  readonly #takesClasses: boolean;
  readonly #arithmetic: Arithmetic;
  readonly #memory: KernelMemory;
  readonly #stepThreads: StepThreads;
  readonly #onNotice: (text: string) => void;
  #threads: number;
  /** Recorded steps that no batch has needed yet. */
  readonly #graphs = new Map<string, StepGraph>();
  readonly #plans = new Map<string, LoadedPlan>();
  #dataset: Dataset;
  #rows: Rows;
  /** Known with the first recorded step. */
  #resident: Resident | null = null;
  #moments: readonly { readonly address: number; readonly size: number }[] = [];
  /** Places that hold the weights that training started from, and which weights. */
  #anchors: RecordedStep["anchors"] = [];
  #scalars: StepScalars = {};
  /** The plan whose constants are in memory. */
  #current: LoadedPlan | null = null;
  #steps = 0;
  /** Address of the state of the generators that random tensors are drawn from. */
  #generators = 0;
  /** A lone sample and its copy. */
  readonly #twice = new Int32Array(2);

  constructor(
    built: BuiltModel,
    settings: LearnerSettings,
    dataset: Dataset,
    {
      arithmetic = chosenArithmetic(),
      threads = 1,
      ended,
      startLimitMs,
      onNotice = () => {},
    }: CompileOptions,
  ) {
    this.#arithmetic = arithmetic;
    this.#threads = threads;
    this.#onNotice = onNotice;
    this.#memory = new KernelMemory(threads > 1);
    this.#stepThreads = new StepThreads(this.#memory, {
      ...(ended === undefined ? {} : { ended }),
      ...(startLimitMs === undefined ? {} : { startLimitMs }),
    });
    this.#built = built;
    this.#settings = settings;
    this.#takesClasses = lossOf(settings.loss).takesClasses;
    this.#dataset = dataset;
    this.#rows = rowsOf(dataset);
  }

  get threads(): number {
    return this.#threads;
  }

  useDataset(dataset: Dataset): void {
    this.#dataset = dataset;
    this.#rows = rowsOf(dataset);
  }

  setWeights(values: Float32Array): void {
    this.#built.description.layout.forEach(({ offset, size }, slot) => {
      this.#memory.floats.set(values.subarray(offset, offset + size), this.#variable(slot));
    });
  }

  copyWeights(into: Float32Array): void {
    this.#built.description.layout.forEach(({ offset, size }, slot) => {
      const start = this.#variable(slot);
      into.set(this.#memory.floats.subarray(start, start + size), offset);
    });
  }

  startTraining({ learningRate, random }: TrainingStart): void {
    const { scalars } = this.#resident!;
    for (const { address, size } of this.#moments) {
      this.#memory.floats.fill(0, address / 4, address / 4 + size);
    }
    for (const { slot, of } of this.#anchors) {
      const start = this.#variable(of);
      const { size } = this.#built.description.layout[of]!;
      this.#memory.floats.copyWithin(this.#variable(slot), start, start + size);
    }
    this.#memory.floats[scalars["learning rate"]! / 4] = learningRate;
    this.#memory.floats[scalars["minus learning rate"]! / 4] = -learningRate;
    this.#steps = 0;
    const generators = new Uint32Array(this.#memory.bytes.buffer, this.#generators, UNIFORM_STATE);
    for (let i = 0; i < UNIFORM_STATE; i++) generators[i] = random() * 2 ** 32;
  }

  train(batch: Int32Array): BatchOutcome {
    const loaded = this.planFor("train", batch.length);
    this.#steps += 1;
    for (const [name, valueAt] of Object.entries(this.#scalars)) {
      this.#memory.floats[this.#resident!.scalars[name]! / 4] = valueAt(this.#steps);
    }
    return this.#run(loaded, batch);
  }

  evaluate(batch: Int32Array): BatchOutcome {
    return this.#run(this.planFor("evaluate", batch.length), batch);
  }

  dispose(): void {
    this.#graphs.clear();
    this.#plans.clear();
    this.#stepThreads.close();
  }

  /** Records the step for batches of this size, which is compiled when the first one comes. */
  prepare(mode: Mode, size: number): void {
    const shape = batchShape(size);
    const key = keyOf(mode, shape);
    if (this.#plans.has(key) || this.#graphs.has(key)) return;
    this.#graphs.set(key, this.#record(mode, shape));
  }

  /**
   * The step for batches of this size, compiled.
   *
   * @throws {NotRecordable} the model's step cannot be recorded
   * @throws {ModelError} the step needs more memory than there is
   */
  planFor(mode: Mode, size: number): LoadedPlan {
    const shape = batchShape(size);
    const key = keyOf(mode, shape);
    let loaded = this.#plans.get(key);
    if (loaded === undefined) {
      this.prepare(mode, size);
      loaded = this.#load(this.#graphs.get(key)!, shape);
      this.#plans.set(key, loaded);
      this.#graphs.delete(key);
    }
    return loaded;
  }

  #load(recorded: StepGraph, { samples, lanes, padded, alone }: BatchShape): LoadedPlan {
    const graph = optimise(recorded, padded);
    const shape = loadShape(this.#dataset, samples, lanes);
    let staging = 0;
    const extra: ExtraCalls = (module, { blocks, inputs, randoms }, arena, parts) => {
      const draws = randoms.map(({ address, elements: floats, batched, ...places }) => ({
        kernel: uniform(module, { floats, alike: alone && batched, ...places }),
        operands: [this.#generators, address],
      }));
      const items = inputs["items"];
      if (items === undefined) return { loads: [], draws };
      staging = arena.take(lanes * shape.itemBytes).address;
      const places = blockPlaces(items, shape.features, lanes, blocks);
      const loads = parts.map(({ first, count }, part) => {
        const batchStride = lanes / blocks;
        const own = { ...shape, samples: samples - first, batch: count, batchStride };
        const place = blocks > 1 ? places[part]!.start : items / 4 + first;
        const operands = [staging + first * shape.itemBytes, place * 4];
        return [{ kernel: loadBatch(module, own), operands }];
      });
      return { loads, draws };
    };
    const { plan, step } = this.#compile(graph, lanes, extra);
    // What was needed to write the module is many times its size.
    leaveGarbage();
    return { plan, samples, lanes, staging, itemBytes: shape.itemBytes, step };
  }

  #compile(graph: StepGraph, lanes: number, extra: ExtraCalls): { plan: Plan; step: () => void } {
    const options = { arithmetic: this.#arithmetic, extra, memory: this.#memory.imported };
    // Threads share whole vectors of samples.
    const threads = Math.min(this.#threads, lanes / LANES);
    if (threads > 1) {
      try {
        const plan = planThreads(graph, lanes, threads, this.#resident!, options);
        return { plan, step: this.#stepThreads.load(plan) };
      } catch (error) {
        this.#doWithoutThreads(error);
      }
    }
    const plan = planStep(graph, lanes, this.#resident!, options);
    const step = this.#memory.instantiate(plan.bytes, plan.top)["step"] as () => void;
    return { plan, step };
  }

  /** One thread computes the same, so threads that cannot be used cost time and no more. */
  #doWithoutThreads(error: unknown): void {
    if (!(error instanceof FlotillaError)) throw error;
    this.#onNotice(`Training goes on with one thread for a step: ${error.message}`);
    // Threads that need too much memory for this step may go on with others.
    if (error instanceof ModelError) return;
    this.#threads = 1;
    this.#plans.clear();
    this.#current = null;
  }

  #record(mode: Mode, { samples, padded }: BatchShape): StepGraph {
    const { loss, optimizer } = this.#settings;
    if (mode === "train") {
      if (optimizer === null) throw new TypeError("Cannot train without an optimizer");
      const { name, args, proximalMu = 0 } = optimizer;
      const recorded = recordStep(
        this.#built,
        { loss, optimizer: name, optimizerArgs: args, proximalMu },
        samples,
        padded,
      );
      if (this.#resident === null) this.#settle(recorded);
      return recorded.graph;
    }
    const graph = recordEvaluation(this.#built, loss, samples, padded);
    if (this.#resident === null) {
      if (optimizer !== null) throw new TypeError("Cannot evaluate before training is prepared");
      const variables = this.#built.description.layout.map(({ shape }) => shape);
      this.#settle({ graph, variables, anchors: [], scalars: {} });
    }
    return graph;
  }

  /** Gives all that outlives a step its place. */
  #settle({ variables, anchors, scalars }: RecordedStep): void {
    const arena = new Arena(0);
    const places = variables.map((dims) => ({
      address: arena.take(sizeOf(dims) * 4).address,
      size: sizeOf(dims),
    }));
    this.#generators = arena.take(UNIFORM_STATE * 4).address;
    const names = ["learning rate", "minus learning rate", ...Object.keys(scalars)];
    this.#resident = {
      variables: places.map(({ address }) => address),
      scalars: Object.fromEntries(names.map((name) => [name, arena.take(4).address])),
      base: arena.top,
    };
    this.#moments = places.slice(this.#built.description.layout.length);
    this.#anchors = anchors;
    this.#scalars = scalars;
    this.#memory.reserve(arena.top);
  }

  #variable(slot: number): number {
    return this.#resident!.variables[slot]! / 4;
  }

  #run(loaded: LoadedPlan, batch: Int32Array): BatchOutcome {
    const { plan, samples } = loaded;
    if (this.#current !== loaded) {
      for (const { address, values } of plan.constants) {
        this.#memory.floats.set(values, address / 4);
      }
      this.#current = loaded;
    }
    const rows = batch.length < samples ? this.#twice.fill(batch[0]!) : batch;
    this.#stageItems(loaded, rows);
    this.#stageLabels(loaded, rows);
    this.#stageTargets(loaded, rows);
    loaded.step();
    const right = this.#countRight(loaded, batch);
    return { loss: this.#memory.floats[plan.loss / 4]!, right };
  }

  #stageItems({ plan, staging, itemBytes }: LoadedPlan, batch: Int32Array): void {
    if (plan.inputs["items"] === undefined) return;
    this.#rows.read(batch, this.#memory.bytes.subarray(staging), itemBytes);
  }

  #stageLabels({ plan, lanes }: LoadedPlan, batch: Int32Array): void {
    if (plan.inputs["labels"] === undefined) return;
    const { labels } = this.#dataset;
    for (
      const { first, count, start } of blockPlaces(plan.inputs["labels"], 1, lanes, plan.blocks)
    ) {
      for (let n = 0; n < count; n++) {
        const item = batch[first + n];
        this.#memory.floats[start + n] = item === undefined ? -1 : labels[item]!;
      }
    }
  }

  #stageTargets({ plan, lanes }: LoadedPlan, batch: Int32Array): void {
    const start = plan.inputs["targets"];
    if (start === undefined || this.#takesClasses) return;
    const { outputShape } = this.#built;
    const { floats } = this.#memory;
    const units = elements(outputShape);
    for (const { first, count, ...places } of blockPlaces(start, units, lanes, plan.blocks)) {
      floats.fill(0, places.start, places.start + units * count);
      const own = batch.subarray(first, first + count);
      fillTargets(this.#dataset, own, outputShape, floats, places);
    }
  }

  #countRight({ plan, lanes }: LoadedPlan, batch: Int32Array): number | null {
    const units = elements(this.#built.outputShape);
    let right = 0;
    for (
      const { first, count, ...places } of blockPlaces(plan.outputs, units, lanes, plan.blocks)
    ) {
      const own = batch.subarray(first, first + count);
      const inBlock = countRight(this.#memory.floats, own, this.#dataset, units, places);
      if (inBlock === null) return null;
      right += inBlock;
    }
    return right;
  }
}

function keyOf(mode: Mode, { samples, alone }: BatchShape): string {
  return `${mode} ${alone ? 1 : samples}`;
}

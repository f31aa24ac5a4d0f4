/** From a model to its compiled steps: records each once, and writes one WebAssembly module for it. */
import type { ItemKind } from "../data/dataset.ts";
import {
  type Arithmetic,
  loadBatch,
  type MemoryImport,
  uniform,
  UNIFORM_STATE,
} from "../kernels/mod.ts";
import { type BatchShape, batchShape, loadShape, stepKey } from "./batch_shape.ts";
import type { BuiltModel } from "./built_model.ts";
import { leaveGarbage } from "./garbage.ts";
import type { BatchSizes, LearnerSettings } from "./learner.ts";
import { blockPlaces, LANES } from "./step/blocks.ts";
import { sizeOf, type StepGraph } from "./step/graph.ts";
import { Arena } from "./step/memory_plan.ts";
import { optimise } from "./step/passes/optimise.ts";
import { type ExtraCalls, type Plan, planStep } from "./step/plan.ts";
import type { Mode, Residence, StepProgram } from "./step/program.ts";
import { type RecordedStep, recordEvaluation, recordStep } from "./step/record.ts";
import { planThreads } from "./step/threaded_plan.ts";

/** A program with what people may want to know of it. */
export type ExplainedProgram = StepProgram & Pick<Plan, "calls">;

/** Compiles the steps of one model, for one way of training or for evaluation. */
export class StepCompiler {
  /** Recorded steps that are not compiled yet. */
  readonly #graphs = new Map<string, StepGraph>();
  /** Known with the first recorded step. */
  #residence: Residence | null = null;

  /**
   * Records the first step. The others are recorded when they are compiled.
   *
   * @param items that all steps read
   * @param batchSizes of training and of evaluation, those that will be needed for certain
   * @throws {NotRecordable} the model's step cannot be recorded; a step of another size throws the same
   */
  constructor(
    readonly built: BuiltModel,
    private readonly settings: LearnerSettings,
    private readonly items: ItemKind,
    batchSizes: BatchSizes,
    private readonly arithmetic: Arithmetic,
  ) {
    // What has no batch at all still has weights, which need places.
    const mode = settings.optimizer === null ? "evaluate" : "train";
    this.#prepare(mode, batchShape(batchSizes[mode][0] ?? 1));
  }

  /** Places of what outlives a step. */
  get residence(): Residence {
    return this.#residence!;
  }

  /**
   * Compiles the step for batches of a size.
   *
   * @param threads that share it; fewer where a batch has less than four samples a thread
   * @param memory how the module imports its memory
   * @throws {NotRecordable} the model's step cannot be recorded
   * @throws {ModelError} the step needs more memory than there is
   */
  compile(mode: Mode, size: number, threads: number, memory: MemoryImport): ExplainedProgram {
    const shape = batchShape(size);
    this.#prepare(mode, shape);
    const key = stepKey(mode, shape);
    const program = this.#compile(this.#graphs.get(key)!, shape, threads, memory);
    this.#graphs.delete(key);
    // What was needed to write the module is many times its size.
    leaveGarbage();
    return program;
  }

  #prepare(mode: Mode, shape: BatchShape): void {
    const key = stepKey(mode, shape);
    if (!this.#graphs.has(key)) this.#graphs.set(key, this.#record(mode, shape));
  }

  #compile(
    recorded: StepGraph,
    { samples, lanes, padded, alone }: BatchShape,
    threads: number,
    memory: MemoryImport,
  ): ExplainedProgram {
    const { residence } = this;
    const graph = optimise(recorded, padded);
    const shape = loadShape(this.items, samples, lanes);
    let staging = 0;
    const extra: ExtraCalls = (module, { blocks, inputs, randoms }, arena, parts) => {
      const draws = randoms.map(({ address, elements: floats, batched, ...places }) => ({
        kernel: uniform(module, { floats, alike: alone && batched, ...places }),
        operands: [residence.generators.address, address],
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
    const options = { arithmetic: this.arithmetic, extra, memory };
    // Threads share whole vectors of samples.
    const sharing = Math.min(threads, lanes / LANES);
    const plan = sharing > 1
      ? planThreads(graph, lanes, sharing, residence, options)
      : { ...planStep(graph, lanes, residence, options), threads: 1, phases: 0 };
    return { ...plan, samples, lanes, staging, itemBytes: shape.itemBytes };
  }

  #record(mode: Mode, { samples, padded }: BatchShape): StepGraph {
    const { loss, optimizer } = this.settings;
    if (mode === "train") {
      if (optimizer === null) throw new TypeError("Cannot train without an optimizer");
      const { name, args, proximalMu = 0 } = optimizer;
      const recorded = recordStep(
        this.built,
        { loss, optimizer: name, optimizerArgs: args, proximalMu },
        samples,
        padded,
      );
      this.#residence ??= this.#settle(recorded);
      return recorded.graph;
    }
    const graph = recordEvaluation(this.built, loss, samples, padded);
    const variables = this.built.description.layout.map(({ shape }) => shape);
    this.#residence ??= this.#settle({ graph, variables, anchors: [], scalars: {} });
    return graph;
  }

  /** Gives all that outlives a step its place. */
  #settle({ variables, anchors, scalars }: RecordedStep): Residence {
    const arena = new Arena(0);
    const places = variables.map((dims) => ({
      address: arena.take(sizeOf(dims) * 4).address,
      size: sizeOf(dims),
    }));
    const { address } = arena.take(UNIFORM_STATE * 4);
    const names = ["learning rate", "minus learning rate", ...Object.keys(scalars)];
    return {
      variables: places.map(({ address }) => address),
      scalars: Object.fromEntries(names.map((name) => [name, arena.take(4).address])),
      moments: places.slice(this.built.description.layout.length),
      anchors,
      generators: { address, words: UNIFORM_STATE },
      base: arena.top,
    };
  }
}

/** From recorded steps to compiled ones: writes one WebAssembly module for each. */
import type { Layout } from "../core/weights.ts";
import type { ItemKind } from "../data/dataset.ts";
import {
  type Arithmetic,
  loadBatch,
  type MemoryImport,
  uniform,
  UNIFORM_STATE,
} from "../kernels/mod.ts";
import { type BatchShape, batchShape, loadShape, stepKey } from "./batch_shape.ts";
import { leaveGarbage } from "./garbage.ts";
import { blockPlaces, LANES } from "./step/blocks.ts";
import { sizeOf, type StepGraph } from "./step/graph.ts";
import { Arena } from "./step/memory_plan.ts";
import { optimise } from "./step/passes/optimise.ts";
import { type ExtraCalls, type Plan, planStep } from "./step/plan.ts";
import type { Mode, RecordedStep, Residence, StepProgram } from "./step/program.ts";
import { planThreads } from "./step/threaded_plan.ts";

/** A program with what people may want to know of it. */
export type ExplainedProgram = StepProgram & Pick<Plan, "calls">;

/** What compiles the steps of one model, for one way of training or for evaluation. */
export interface Compiler {
  /** Places of what outlives a step. */
  readonly residence: Residence;
  /** Whether it can compile the step for batches of a size. */
  has(mode: Mode, size: number): boolean;
  /**
   * Compiles the step for batches of a size, if it has it.
   *
   * @param threads that share it; fewer where a batch has less than four samples a thread
   * @param memory how the module imports its memory
   * @throws {ModelError} the step needs more memory than there is
   */
  compile(mode: Mode, size: number, threads: number, memory: MemoryImport): ExplainedProgram;
}

/** Compiles steps that were recorded before. */
export class StepCompiler implements Compiler {
  readonly #recorded = new Map<string, StepGraph>();

  /**
   * @param residence places of what outlives a step, as {@link settle} gives them
   * @param items that all steps read
   */
  constructor(
    readonly residence: Residence,
    private readonly items: ItemKind,
    private readonly arithmetic: Arithmetic,
  ) {}

  /** Takes a recorded step, to compile it when it is asked for. */
  add(mode: Mode, size: number, { graph }: RecordedStep): void {
    this.#recorded.set(stepKey(mode, batchShape(size)), graph);
  }

  has(mode: Mode, size: number): boolean {
    return this.#recorded.has(stepKey(mode, batchShape(size)));
  }

  compile(mode: Mode, size: number, threads: number, memory: MemoryImport): ExplainedProgram {
    const shape = batchShape(size);
    const recorded = this.#recorded.get(stepKey(mode, shape))!;
    const program = this.#compile(recorded, shape, threads, memory);
    // What was needed to write the module is many times its size.
    leaveGarbage();
    return program;
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
}

/**
 * Gives all that outlives a step its place.
 *
 * @param layout of the model's weights
 */
export function settle(layout: Layout, { variables, anchors, scalars }: RecordedStep): Residence {
  const arena = new Arena(0);
  const places = variables.map((dims) => ({
    address: arena.take(sizeOf(dims) * 4).address,
    size: sizeOf(dims),
  }));
  const { address } = arena.take(UNIFORM_STATE * 4);
  const names = ["learning rate", "minus learning rate", ...scalars];
  return {
    variables: places.map(({ address }) => address),
    scalars: Object.fromEntries(names.map((name) => [name, arena.take(4).address])),
    moments: places.slice(layout.length),
    anchors,
    generators: { address, words: UNIFORM_STATE },
    base: arena.top,
  };
}

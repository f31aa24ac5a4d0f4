/** Compiles the steps of a model whose code runs elsewhere, as they come from there. */
import type { ItemKind } from "../data/dataset.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import { batchShape, stepKey } from "./batch_shape.ts";
import { type BatchSizes, firstStep, type LearnerNeeds, type LearnerSettings } from "./learner.ts";
import type { Ask } from "./model_worker/protocol.ts";
import type { Mode, ModelFacts, RecordedStep, Residence } from "./step/program.ts";
import type { Compiler, StepCompiler } from "./step_compiler.ts";
import type { ModelSource } from "./trainer.ts";

/** Loads what compiles steps; workers whose steps were compiled before never need it. */
export function loadCompiler(): Promise<typeof import("./step_compiler.ts")> {
  return loading ??= import("./step_compiler.ts");
}

let loading: Promise<typeof import("./step_compiler.ts")> | null = null;

/** Asks for recorded steps of one model, for one way of training or for evaluation. */
export class AskedCompiler {
  readonly #ask: Ask;
  readonly #source: ModelSource;
  readonly #settings: LearnerSettings;
  readonly #items: ItemKind;
  readonly #asked = new Map<string, Promise<RecordedStep>>();
  #compiler: StepCompiler | null = null;

  /**
   * @param ask who runs the model's code
   * @param items that all steps read
   */
  constructor(ask: Ask, source: ModelSource, settings: LearnerSettings, items: ItemKind) {
    this.#ask = ask;
    this.#source = source;
    this.#settings = settings;
    this.#items = items;
  }

  /**
   * Asks for the steps of batches to come, all at once.
   *
   * @param has whether a step is there already
   */
  expect(batches: BatchSizes, has: (mode: Mode, size: number) => boolean): void {
    for (const mode of ["train", "evaluate"] as const) {
      for (const size of batches[mode]) {
        if (!has(mode, size)) void this.#recorded(mode, size);
      }
    }
  }

  /**
   * Places of what outlives a step, as the first step has them.
   *
   * @throws {NotRecordable} the model's steps cannot be recorded
   * @throws {ModelError} unknown optimizer
   */
  async residence({ layout }: ModelFacts, { settings, batches }: LearnerNeeds): Promise<Residence> {
    const [{ settle }, first] = await Promise.all([
      loadCompiler(),
      this.#recorded(...firstStep(settings, batches)),
    ]);
    return settle(layout, first);
  }

  /**
   * A compiler that has the step for batches of a size.
   *
   * @throws {NotRecordable} the model's step cannot be recorded
   */
  async having(mode: Mode, size: number, residence: Residence): Promise<Compiler> {
    const [{ StepCompiler }, recorded] = await Promise.all([
      loadCompiler(),
      this.#recorded(mode, size),
    ]);
    this.#compiler ??= new StepCompiler(residence, this.#items, chosenArithmetic());
    this.#compiler.add(mode, size, recorded);
    return this.#compiler;
  }

  #recorded(mode: Mode, size: number): Promise<RecordedStep> {
    const key = stepKey(mode, batchShape(size));
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      const [source, settings] = [this.#source, this.#settings];
      asked = this.#ask("record", { source, settings, mode, size });
      this.#asked.set(key, asked);
      // Whoever needs it is told. It may have failed as its job was cancelled, so it is asked for again.
      asked.catch(() => this.#asked.delete(key));
    }
    return asked;
  }
}

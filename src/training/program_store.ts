/** Where a trainer keeps compiled steps for the workers to come. */
import type { ModelProgram } from "./step/program.ts";

/** Programs by key, which stands for all that they were compiled from and for. */
export interface ProgramStore {
  /** Whether it holds none, as far as is known without waiting. */
  readonly isEmpty: boolean;
  /** @returns null if there is none, or it cannot be read */
  get(key: string): Promise<ModelProgram | null>;
  /** Keeps a program in place of the one before. What cannot be kept is compiled again. */
  put(key: string, program: ModelProgram): Promise<void>;
}

/** Programs of models that are kept at a time. */
const KEPT = 8;

/** Keeps programs as long as the process lives. */
export class MemoryPrograms implements ProgramStore {
  readonly #programs = new Map<string, ModelProgram>();

  get isEmpty(): boolean {
    return this.#programs.size === 0;
  }

  get(key: string): Promise<ModelProgram | null> {
    return Promise.resolve(this.#programs.get(key) ?? null);
  }

  put(key: string, program: ModelProgram): Promise<void> {
    this.#programs.delete(key);
    this.#programs.set(key, program);
    const [oldest] = this.#programs.keys();
    if (this.#programs.size > KEPT) this.#programs.delete(oldest!);
    return Promise.resolve();
  }
}

/**
 * Compiled steps as plain data. What runs them needs neither the model nor what compiled them, so
 * they can be sent, kept, and used again by a later worker.
 */
import type { Layout } from "../../core/weights.ts";
import type { Plan } from "./plan.ts";
import type { Resident } from "./sources.ts";

/** A step for batches of one size. */
export interface StepProgram extends Omit<Plan, "calls"> {
  readonly samples: number;
  readonly lanes: number;
  /** Address of the stored items. */
  readonly staging: number;
  readonly itemBytes: number;
  /** Threads that share it. */
  readonly threads: number;
  /** Parts between which its threads wait for each other; 0 for one thread. */
  readonly phases: number;
}

/** What a training or an evaluation keeps in memory from step to step. */
export interface Residence extends Resident {
  /** Where an optimizer's moments are. */
  readonly moments: readonly { readonly address: number; readonly size: number }[];
  /** Slots that hold the weights that training started from, and the slots of these weights. */
  readonly anchors: readonly { readonly slot: number; readonly of: number }[];
  /** The state of the generators that random tensors are drawn from. */
  readonly generators: { readonly address: number; readonly words: number };
}

/** All steps of a training or an evaluation that were compiled so far. */
export interface LearnerProgram {
  readonly residence: Residence;
  /** By {@link stepKey}. */
  readonly steps: Readonly<Record<string, StepProgram>>;
}

/** What is known of a model besides its steps. */
export interface ModelFacts {
  readonly layout: Layout;
  /** Shape of one output item. */
  readonly outputShape: readonly number[];
}

/** What a step is for. */
export type Mode = "train" | "evaluate";

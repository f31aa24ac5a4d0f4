/**
 * Recorded and compiled steps as plain data. What compiles a recorded step needs no model, and what
 * runs a compiled one needs nothing else, so they can be sent, kept, and used again by others.
 */
import type { Layout } from "../../core/weights.ts";
import { type Dataset, typeOf } from "../../data/dataset.ts";
import type { Arithmetic } from "../../kernels/mod.ts";
import type { LearnerSettings } from "../learner.ts";
import type { StepGraph } from "./graph.ts";
import type { Plan } from "./plan.ts";
import type { Resident } from "./sources.ts";

/** A step as a graph. */
export interface RecordedStep {
  readonly graph: StepGraph;
  /** Dims of all variables by slot: the model's weights in their order, then moments, anchors. */
  readonly variables: readonly (readonly number[])[];
  /** Slots that hold, while training, the weights that it started from. */
  readonly anchors: readonly { readonly slot: number; readonly of: number }[];
  /** Numbers that are written before each step, those of every optimizer apart. */
  readonly scalars: readonly string[];
}

/** A compiled step for batches of one size. */
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

/** All that is needed to train and evaluate a model without building it. */
export interface ModelProgram extends ModelFacts {
  readonly arithmetic: Arithmetic;
  /** The kind of dataset that it was found to fit, as {@link datasetKind} writes it. */
  readonly dataset: string;
  /** By the settings that the steps are for, as {@link settingsKey} writes them. */
  readonly learners: Readonly<Record<string, LearnerProgram>>;
}

/** What a step is for. */
export type Mode = "train" | "evaluate";

/** All of a dataset but its numbers: a program made for one dataset fits all of its kind. */
export function datasetKind(dataset: Dataset): string {
  const { items, shape, targetShape, classes, classesDeclared, normalise } = dataset;
  return JSON.stringify([typeOf(items), shape, targetShape, classes, classesDeclared, normalise]);
}

/** What a learner's steps depend on besides model and dataset. */
export function settingsKey({ loss, optimizer }: LearnerSettings): string {
  return JSON.stringify([loss, optimizer]);
}

/** The loss in a key of {@link settingsKey}. */
export function lossIn(key: string): string {
  const [loss] = JSON.parse(key);
  return loss;
}

/** What a model and its training step are, as plain data for people and programs. */
import type { ModelSource } from "./trainer.ts";

/** What to explain, and for which training. */
export interface ExplanationRequest extends ModelSource {
  readonly batchSize: number;
  readonly loss: string;
  readonly optimizer: string;
}

/** One layer of a model; layers inside nested models are listed in their place. */
export interface LayerExplanation {
  readonly name: string;
  /** Its class in tfjs. */
  readonly kind: string;
  /** Shape of what it gives for one item. */
  readonly outputShape: readonly (number | null)[];
  readonly parameters: number;
  /** Multiplications and additions of its weights' products, forward, for one item. */
  readonly flops: number;
}

/** One kernel call of a plan. */
export interface CallExplanation {
  /** What is computed, such as `conv2d forward`; of single elements, the expression. */
  readonly operation: string;
  /** Shape of the result, without the batch. */
  readonly dims: readonly number[];
  readonly batched: boolean;
  readonly flops: number;
}

/** A compiled training step. */
export interface PlanExplanation {
  readonly calls: readonly CallExplanation[];
  /** Multiplications and additions of one step. */
  readonly flops: number;
  /** WebAssembly memory in bytes: weights, optimizer state, and all values of a step. */
  readonly memoryBytes: number;
  /** Size of the WebAssembly module. */
  readonly moduleBytes: number;
}

/** A model explained. */
export interface ModelExplanation {
  readonly inputShape: readonly (number | null)[];
  readonly layers: readonly LayerExplanation[];
  readonly parameters: number;
  readonly trainableParameters: number;
  /** Sum over the layers: forward, for one item. */
  readonly flops: number;
  readonly batchSize: number;
  /** Null if the step cannot be compiled. */
  readonly plan: PlanExplanation | null;
  /** Why it cannot be compiled, as in "the step cannot be compiled as ..."; null if it is. */
  readonly notCompiled: string | null;
}

/** Explains models; done by the worker that trains, as a model's code runs. */
export interface ModelExplainer {
  /** @throws {ModelError} the package does not build a model, unknown loss or optimizer */
  explain(request: ExplanationRequest): Promise<ModelExplanation>;
  /** Ends the worker. */
  close(): void;
}

/**
 * Optimizers of eager training. Each training call makes a new one, so that moments start fresh, as
 * in the original.
 */
import type { NamedTensorMap, Tensor, Variable } from "@tensorflow/tfjs-core";
import type { JsonObject } from "../core/json.ts";
import { tf } from "./backend.ts";
import {
  type Algebra,
  type OptimizerArgs,
  type OptimizerRule,
  optimizerRule,
  proximalGradient,
} from "./optimizer_rules.ts";

/** Applies gradients to variables. */
export interface Optimizer {
  /** @param gradients by name of the variable */
  applyGradients(gradients: NamedTensorMap, variables: readonly Variable[]): void;
  /** Frees the moments. */
  dispose(): void;
}

const TENSORS: Algebra<Tensor> = {
  add: (a, b) => tf.add(a, b),
  mul: (a, b) => tf.mul(a, b),
  div: (a, b) => tf.div(a, b),
  sqrt: (a) => tf.sqrt(a),
  square: (a) => tf.square(a),
};

/**
 * Makes an optimizer.
 *
 * @param proximalMu weight of FedProx's pull to the weights that the first step finds
 * @throws {ModelError} as {@link optimizerRule}
 */
export function makeOptimizer(
  name: string,
  learningRate: number,
  given: JsonObject,
  proximalMu = 0,
): Optimizer {
  const { rule, args } = optimizerRule(name, given);
  return new RuleOptimizer(rule, learningRate, args, proximalMu);
}

class RuleOptimizer implements Optimizer {
  readonly #moments = new Map<string, Variable[]>();
  readonly #anchors = new Map<string, Tensor>();
  #count = 0;

  constructor(
    readonly rule: OptimizerRule,
    readonly learningRate: number,
    readonly args: OptimizerArgs,
    readonly proximalMu: number,
  ) {}

  applyGradients(gradients: NamedTensorMap, variables: readonly Variable[]): void {
    this.#count += 1;
    const scalars = Object.values(this.rule.scalars?.(this.args) ?? {})
      .map((valueAt) => valueAt(this.#count));
    for (const variable of variables) {
      const lossGradient = gradients[variable.name];
      if (lossGradient === undefined) continue;
      const gradient = this.#pulled(lossGradient, variable);
      const kept = this.#momentsOf(variable);
      const { direction, moments } = this.rule.step(
        TENSORS,
        gradient,
        kept,
        this.args,
        scalars,
      );
      moments.forEach((moment, index) => kept[index]!.assign(moment));
      variable.assign(tf.sub(variable, tf.mul(direction, this.learningRate)));
    }
  }

  #pulled(gradient: Tensor, variable: Variable): Tensor {
    if (this.proximalMu === 0) return gradient;
    let anchor = this.#anchors.get(variable.name);
    if (anchor === undefined) {
      anchor = tf.keep(tf.clone(variable));
      this.#anchors.set(variable.name, anchor);
    }
    return proximalGradient(TENSORS, gradient, variable, anchor, this.proximalMu);
  }

  #momentsOf(variable: Variable): Variable[] {
    let moments = this.#moments.get(variable.name);
    if (moments === undefined) {
      moments = Array.from(
        { length: this.rule.moments(this.args) },
        () => tf.variable(tf.zerosLike(variable), false),
      );
      this.#moments.set(variable.name, moments);
    }
    return moments;
  }

  dispose(): void {
    for (const moment of [...this.#moments.values()].flat()) moment.dispose();
    for (const anchor of this.#anchors.values()) anchor.dispose();
  }
}

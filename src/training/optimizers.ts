/**
 * The optimizers by the names of the original, each step as torch computes it, with torch's
 * defaults (tfjs's own differ in epsilons, in Adadelta's order, and leak). Each training call makes
 * a new one, so that moments start fresh, as in the original.
 */
import type { NamedTensorMap, Tensor, Variable } from "@tensorflow/tfjs-core";
import { ModelError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { tf } from "./backend.ts";

/** Applies gradients to variables. */
export interface Optimizer {
  /** @param gradients by name of the variable */
  applyGradients(gradients: NamedTensorMap, variables: readonly Variable[]): void;
  /** Frees the moments. */
  dispose(): void;
}

/** What one step makes of one variable's gradient. */
interface Step {
  /** Subtracted from the variable after multiplication by the learning rate. */
  readonly direction: Tensor;
  /** The moments to keep, in the order in which they were given. */
  readonly moments: readonly Tensor[];
}

/** A rule for one kind of optimizer. */
interface Rule {
  /** Arguments with their defaults; others are refused. */
  readonly defaults: Readonly<Record<string, number>>;
  /** Number of moments for each variable; all start at 0. */
  moments(args: Args): number;
  /** @param count steps done, this one included */
  step(gradient: Tensor, moments: readonly Tensor[], args: Args, count: number): Step;
}

type Args = Readonly<Record<string, number>>;

/** Names in the registry. */
export type OptimizerName = "sgd" | "momentum" | "adam" | "adagrad" | "adadelta" | "rmsprop";

const RULES: Readonly<Record<OptimizerName, Rule>> = {
  /** g, or with momentum m: v = m v + g. */
  sgd: {
    defaults: { momentum: 0 },
    moments: ({ momentum }) => momentum === 0 ? 0 : 1,
    step: (gradient, moments, args) =>
      args["momentum"] === 0
        ? { direction: gradient, moments: [] }
        : heavyBall(gradient, moments, args["momentum"]!),
  },
  /** v = m v + g. */
  momentum: {
    defaults: { momentum: 0.9 },
    moments: () => 1,
    step: (gradient, moments, args) => heavyBall(gradient, moments, args["momentum"]!),
  },
  /** m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e). */
  adam: {
    defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    moments: () => 2,
    step(gradient, [m, v], { beta1, beta2, epsilon }, count) {
      const mean = blend(m!, gradient, beta1!);
      const square = blend(v!, tf.square(gradient), beta2!);
      const unbiased = tf.div(square, 1 - beta2! ** count);
      const scale = tf.add(tf.sqrt(unbiased), epsilon!);
      const direction = tf.div(tf.div(mean, 1 - beta1! ** count), scale);
      return { direction, moments: [mean, square] };
    },
  },
  /** s = s + g^2; g / (sqrt(s) + e). */
  adagrad: {
    defaults: { epsilon: 1e-10 },
    moments: () => 1,
    step(gradient, [s], { epsilon }) {
      const sum = tf.add(s!, tf.square(gradient));
      return { direction: tf.div(gradient, tf.add(tf.sqrt(sum), epsilon!)), moments: [sum] };
    },
  },
  /** s = r s + (1 - r) g^2; d = g sqrt(u + e) / sqrt(s + e); u = r u + (1 - r) d^2. */
  adadelta: {
    defaults: { rho: 0.9, epsilon: 1e-6 },
    moments: () => 2,
    step(gradient, [s, u], { rho, epsilon }) {
      const square = blend(s!, tf.square(gradient), rho!);
      const ratio = tf.div(tf.add(u!, epsilon!), tf.add(square, epsilon!));
      const direction = tf.mul(gradient, tf.sqrt(ratio));
      return { direction, moments: [square, blend(u!, tf.square(direction), rho!)] };
    },
  },
  /** s = a s + (1 - a) g^2; g / (sqrt(s) + e). */
  rmsprop: {
    defaults: { alpha: 0.99, epsilon: 1e-8 },
    moments: () => 1,
    step(gradient, [s], { alpha, epsilon }) {
      const square = blend(s!, tf.square(gradient), alpha!);
      return { direction: tf.div(gradient, tf.add(tf.sqrt(square), epsilon!)), moments: [square] };
    },
  },
};

/** Names of all optimizers. */
export const OPTIMIZER_NAMES = Object.keys(RULES) as readonly OptimizerName[];

/**
 * Checks an optimizer's name and arguments.
 *
 * @throws {ModelError} no such optimizer, no such argument, or a value that is not a number
 */
export function checkOptimizer(name: string, args: JsonObject): void {
  if (!Object.hasOwn(RULES, name)) {
    throw new ModelError(
      `Cannot use optimizer "${name}": known are ${OPTIMIZER_NAMES.join(", ")}`,
    );
  }
  const rule = RULES[name as OptimizerName];
  for (const [key, value] of Object.entries(args)) {
    if (!Object.hasOwn(rule.defaults, key)) {
      const known = Object.keys(rule.defaults).join(", ");
      throw new ModelError(
        `Cannot use argument "${key}" with optimizer ${name}: known are ${known}`,
      );
    }
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw new ModelError(
        `Cannot use ${JSON.stringify(value)} as "${key}" of optimizer ${name}: a number is needed`,
      );
    }
  }
}

/**
 * Makes an optimizer.
 *
 * @throws {ModelError} as {@link checkOptimizer}
 */
export function makeOptimizer(name: string, learningRate: number, args: JsonObject): Optimizer {
  checkOptimizer(name, args);
  const rule = RULES[name as OptimizerName];
  return new RuleOptimizer(rule, learningRate, { ...rule.defaults, ...args as Args });
}

class RuleOptimizer implements Optimizer {
  readonly #moments = new Map<string, Variable[]>();
  #count = 0;

  constructor(readonly rule: Rule, readonly learningRate: number, readonly args: Args) {}

  applyGradients(gradients: NamedTensorMap, variables: readonly Variable[]): void {
    this.#count += 1;
    for (const variable of variables) {
      const gradient = gradients[variable.name];
      if (gradient === undefined) continue;
      const kept = this.#momentsOf(variable);
      const { direction, moments } = this.rule.step(gradient, kept, this.args, this.#count);
      moments.forEach((moment, index) => kept[index]!.assign(moment));
      variable.assign(tf.sub(variable, tf.mul(direction, this.learningRate)));
    }
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
  }
}

function heavyBall(gradient: Tensor, [v]: readonly Tensor[], momentum: number): Step {
  const velocity = tf.add(tf.mul(v!, momentum), gradient);
  return { direction: velocity, moments: [velocity] };
}

/** keep * old + (1 - keep) * recent. */
function blend(old: Tensor, recent: Tensor, keep: number): Tensor {
  return tf.add(tf.mul(old, keep), tf.mul(recent, 1 - keep));
}

/**
 * The optimizers by the names of the original, with torch's defaults. Each training call makes a
 * new one, so that moments start fresh, as in the original.
 */
import type { NamedTensorMap, Optimizer as TfOptimizer, Variable } from "@tensorflow/tfjs-core";
import type { JsonObject } from "../core/json.ts";
import { ModelError } from "../core/errors.ts";
import { tf } from "./backend.ts";

/** Applies gradients to variables. */
export interface Optimizer {
  /** @param gradients by name of the variable */
  applyGradients(gradients: NamedTensorMap, variables: readonly Variable[]): void;
  /** Frees the moments. */
  dispose(): void;
}

type NumberArgs<K extends string> = Readonly<Record<K, number>>;

interface Maker {
  /** Arguments with their defaults; others are refused. */
  readonly defaults: Readonly<Record<string, number>>;
  make(learningRate: number, args: NumberArgs<string>): Optimizer;
}

/** Names in the registry. */
export type OptimizerName = "sgd" | "momentum" | "adam" | "adagrad" | "adadelta" | "rmsprop";

const OPTIMIZERS: Readonly<Record<OptimizerName, Maker>> = {
  sgd: {
    defaults: { momentum: 0 },
    make: (rate, { momentum }) => momentum === 0 ? wrapped(tf.train.sgd(rate)) : heavyBall(rate, momentum!),
  },
  momentum: {
    defaults: { momentum: 0.9 },
    make: (rate, { momentum }) => heavyBall(rate, momentum!),
  },
  adam: {
    defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    make: (rate, { beta1, beta2, epsilon }) => wrapped(tf.train.adam(rate, beta1, beta2, epsilon)),
  },
  adagrad: {
    defaults: { epsilon: 1e-10 },
    make: (rate, { epsilon }) => new Adagrad(rate, epsilon!),
  },
  adadelta: {
    defaults: { rho: 0.9, epsilon: 1e-6 },
    make: (rate, { rho, epsilon }) => wrapped(tf.train.adadelta(rate, rho, epsilon)),
  },
  rmsprop: {
    defaults: { alpha: 0.99, epsilon: 1e-8, momentum: 0 },
    // tfjs adds epsilon under the root, torch outside of it: its square is the same where it counts.
    make: (rate, { alpha, epsilon, momentum }) =>
      wrapped(tf.train.rmsprop(rate, alpha, momentum, epsilon! ** 2)),
  },
};

/** Names of all optimizers. */
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as readonly OptimizerName[];

/**
 * Makes an optimizer.
 *
 * @throws {ModelError} no such optimizer, no such argument, or a value that is not a number
 */
export function makeOptimizer(name: string, learningRate: number, args: JsonObject): Optimizer {
  if (!Object.hasOwn(OPTIMIZERS, name)) {
    throw new ModelError(
      `Cannot use optimizer "${name}": known are ${OPTIMIZER_NAMES.join(", ")}`,
    );
  }
  const { defaults, make } = OPTIMIZERS[name as OptimizerName];
  for (const [key, value] of Object.entries(args)) {
    if (!Object.hasOwn(defaults, key)) {
      const known = Object.keys(defaults).join(", ");
      throw new ModelError(`Cannot use argument "${key}" with optimizer ${name}: known are ${known}`);
    }
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw new ModelError(
        `Cannot use ${JSON.stringify(value)} as "${key}" of optimizer ${name}: a number is needed`,
      );
    }
  }
  return make(learningRate, { ...defaults, ...args as NumberArgs<string> });
}

/** v = momentum v + gradient; w = w - rate v. */
function heavyBall(rate: number, momentum: number): Optimizer {
  return wrapped(tf.train.momentum(rate, momentum));
}

/** One of tfjs's own, which finds the variables by their names. */
function wrapped(optimizer: TfOptimizer): Optimizer {
  return {
    applyGradients(gradients, variables) {
      const named = variables.map(({ name }) => ({ name, tensor: gradients[name]! }));
      optimizer.applyGradients(named);
    },
    dispose: () => optimizer.dispose(),
  };
}

/**
 * Adagrad as torch has it: s = s + g^2 from 0; w = w - rate g / (sqrt(s) + epsilon). tfjs's starts
 * at 0.1 and has a fixed epsilon under the root.
 */
class Adagrad implements Optimizer {
  readonly #sums = new Map<string, Variable>();
  constructor(readonly rate: number, readonly epsilon: number) {}

  applyGradients(gradients: NamedTensorMap, variables: readonly Variable[]): void {
    for (const variable of variables) {
      const gradient = gradients[variable.name];
      if (gradient === undefined) continue;
      let sum = this.#sums.get(variable.name);
      if (sum === undefined) {
        sum = tf.variable(tf.zerosLike(variable), false);
        this.#sums.set(variable.name, sum);
      }
      const squares = tf.add(sum, tf.square(gradient));
      sum.assign(squares);
      const step = tf.div(gradient, tf.add(tf.sqrt(squares), this.epsilon));
      variable.assign(tf.sub(variable, tf.mul(step, this.rate)));
    }
  }

  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
  }
}

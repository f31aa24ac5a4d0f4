/**
 * The optimizers by the names of the original, each step as torch computes it, with torch's
 * defaults (tfjs's own differ in epsilons, in Adadelta's order, and leak). A rule is written once,
 * for tensors and for the expressions of a compiled step alike.
 */
import { ModelError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";

/** Arithmetic on what a rule computes with: tensors, or expressions. Plain numbers mix in. */
export interface Algebra<T> {
  add(a: T, b: T | number): T;
  mul(a: T, b: T | number): T;
  div(a: T, b: T | number): T;
  sqrt(a: T): T;
  square(a: T): T;
}

/** An optimizer's arguments, defaults filled in. */
export type OptimizerArgs = Readonly<Record<string, number>>;

/** Numbers that change from step to step, by the number of steps done, this one included. */
export type StepScalars = Readonly<Record<string, (step: number) => number>>;

/** What one step makes of one variable's gradient. */
export interface OptimizerStep<T> {
  /** Subtracted from the variable after multiplication by the learning rate. */
  readonly direction: T;
  /** The moments to keep, in the order in which they were given. */
  readonly moments: readonly T[];
}

/** A rule for one kind of optimizer. */
export interface OptimizerRule {
  /** Arguments with their defaults; others are refused. */
  readonly defaults: OptimizerArgs;
  /** Number of moments for each variable; all start at 0. */
  moments(args: OptimizerArgs): number;
  /** @default none */
  scalars?(args: OptimizerArgs): StepScalars;
  /** @param scalars those of this step, in their order */
  step<T>(
    algebra: Algebra<T>,
    gradient: T,
    moments: readonly T[],
    args: OptimizerArgs,
    scalars: readonly (T | number)[],
  ): OptimizerStep<T>;
}

/**
 * The gradient of FedProx's objective, which adds (mu / 2) ||w - a||^2 to the loss: g + mu (w - a)
 * with a the global weights that training started from. Li et al., "Federated Optimization in
 * Heterogeneous Networks" (2020).
 */
export function proximalGradient<T>(
  { add, mul }: Algebra<T>,
  gradient: T,
  weight: T,
  anchor: T,
  mu: number,
): T {
  return add(gradient, mul(add(weight, mul(anchor, -1)), mu));
}

/** Names in the registry. */
export type OptimizerName = "sgd" | "momentum" | "adam" | "adagrad" | "adadelta" | "rmsprop";

const RULES: Readonly<Record<OptimizerName, OptimizerRule>> = {
  /** g, or with momentum m: v = m v + g. */
  sgd: {
    defaults: { momentum: 0 },
    moments: ({ momentum }) => momentum === 0 ? 0 : 1,
    step: (algebra, gradient, [v], { momentum }) =>
      momentum === 0
        ? { direction: gradient, moments: [] }
        : heavyBall(algebra, gradient, v!, momentum!),
  },
  /** v = m v + g. */
  momentum: {
    defaults: { momentum: 0.9 },
    moments: () => 1,
    step: (algebra, gradient, [v], { momentum }) => heavyBall(algebra, gradient, v!, momentum!),
  },
  /** m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e). */
  adam: {
    defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    moments: () => 2,
    scalars: ({ beta1, beta2 }) => ({
      "mean correction": (step) => 1 - beta1! ** step,
      "square correction": (step) => 1 - beta2! ** step,
    }),
    step(algebra, gradient, [m, v], { beta1, beta2, epsilon }, [meanCorrection, squareCorrection]) {
      const { add, div, sqrt, square } = algebra;
      const mean = blend(algebra, m!, gradient, beta1!);
      const squares = blend(algebra, v!, square(gradient), beta2!);
      const scale = add(sqrt(div(squares, squareCorrection!)), epsilon!);
      return { direction: div(div(mean, meanCorrection!), scale), moments: [mean, squares] };
    },
  },
  /** s = s + g^2; g / (sqrt(s) + e). */
  adagrad: {
    defaults: { epsilon: 1e-10 },
    moments: () => 1,
    step({ add, div, sqrt, square }, gradient, [s], { epsilon }) {
      const sum = add(s!, square(gradient));
      return { direction: div(gradient, add(sqrt(sum), epsilon!)), moments: [sum] };
    },
  },
  /** s = r s + (1 - r) g^2; d = g sqrt(u + e) / sqrt(s + e); u = r u + (1 - r) d^2. */
  adadelta: {
    defaults: { rho: 0.9, epsilon: 1e-6 },
    moments: () => 2,
    step(algebra, gradient, [s, u], { rho, epsilon }) {
      const { add, mul, div, sqrt, square } = algebra;
      const squares = blend(algebra, s!, square(gradient), rho!);
      const ratio = div(add(u!, epsilon!), add(squares, epsilon!));
      const direction = mul(gradient, sqrt(ratio));
      return { direction, moments: [squares, blend(algebra, u!, square(direction), rho!)] };
    },
  },
  /** s = a s + (1 - a) g^2; g / (sqrt(s) + e). */
  rmsprop: {
    defaults: { alpha: 0.99, epsilon: 1e-8 },
    moments: () => 1,
    step(algebra, gradient, [s], { alpha, epsilon }) {
      const { add, div, sqrt, square } = algebra;
      const squares = blend(algebra, s!, square(gradient), alpha!);
      return { direction: div(gradient, add(sqrt(squares), epsilon!)), moments: [squares] };
    },
  },
};

/** Names of all optimizers. */
export const OPTIMIZER_NAMES = Object.keys(RULES) as readonly OptimizerName[];

/**
 * An optimizer's rule and its arguments, defaults filled in.
 *
 * @throws {ModelError} no such optimizer, no such argument, or a value that is not a number
 */
export function optimizerRule(
  name: string,
  given: JsonObject,
): { readonly rule: OptimizerRule; readonly args: OptimizerArgs } {
  if (!Object.hasOwn(RULES, name)) {
    throw new ModelError(
      `Cannot use optimizer "${name}": known are ${OPTIMIZER_NAMES.join(", ")}`,
    );
  }
  const rule = RULES[name as OptimizerName];
  for (const [key, value] of Object.entries(given)) {
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
  return { rule, args: { ...rule.defaults, ...given as OptimizerArgs } };
}

function heavyBall<T>(
  { add, mul }: Algebra<T>,
  gradient: T,
  v: T,
  momentum: number,
): OptimizerStep<T> {
  const velocity = add(mul(v, momentum), gradient);
  return { direction: velocity, moments: [velocity] };
}

/** keep * old + (1 - keep) * recent. */
function blend<T>({ add, mul }: Algebra<T>, old: T, recent: T, keep: number): T {
  return add(mul(old, keep), mul(recent, 1 - keep));
}

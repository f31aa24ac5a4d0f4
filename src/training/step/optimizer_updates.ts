/**
 * The optimizers of `../optimizers.ts` in the graph's own terms: the same formulas on values, so
 * that the update of a weight can join the kernel that makes its gradient.
 */
import type { JsonObject } from "../../core/json.ts";
import { call, type Expression } from "./expression.ts";
import type { GraphBuilder, Update, Value } from "./graph.ts";
import { NotRecordable } from "./not_recordable.ts";

/** Numbers that a step needs anew each time, by the number of steps done, this one included. */
export type StepScalars = Readonly<Record<string, (step: number) => number>>;

interface UpdateRule {
  readonly moments: (args: Args) => number;
  readonly defaults: Readonly<Record<string, number>>;
  readonly scalars?: (args: Args) => StepScalars;
  /** New moments and the direction, each as an expression of gradient, moments and scalars. */
  step(args: Args, g: Expression, moments: Expression[], scalars: Expression[]): {
    readonly direction: Expression;
    readonly moments: readonly Expression[];
  };
}

type Args = Readonly<Record<string, number>>;

function blend(old: Expression, recent: Expression, keep: number): Expression {
  return call("add", call("mul", old, keep), call("mul", recent, 1 - keep));
}

function heavyBall(momentum: number, g: Expression, v: Expression) {
  const velocity = call("add", call("mul", v, momentum), g);
  return { direction: velocity, moments: [velocity] };
}

function square(x: Expression): Expression {
  return call("mul", x, x);
}

const UPDATE_RULES: Readonly<Record<string, UpdateRule>> = {
  sgd: {
    defaults: { momentum: 0 },
    moments: ({ momentum }) => momentum === 0 ? 0 : 1,
    step: ({ momentum }, g, [v]) =>
      momentum === 0 ? { direction: g, moments: [] } : heavyBall(momentum!, g, v!),
  },
  momentum: {
    defaults: { momentum: 0.9 },
    moments: () => 1,
    step: ({ momentum }, g, [v]) => heavyBall(momentum!, g, v!),
  },
  adam: {
    defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    moments: () => 2,
    scalars: ({ beta1, beta2 }) => ({
      "mean correction": (step) => 1 - beta1! ** step,
      "square correction": (step) => 1 - beta2! ** step,
    }),
    step({ beta1, beta2, epsilon }, g, [m, v], [meanCorrection, squareCorrection]) {
      const mean = blend(m!, g, beta1!);
      const squares = blend(v!, square(g), beta2!);
      const scale = call("add", call("sqrt", call("div", squares, squareCorrection!)), epsilon!);
      const direction = call("div", call("div", mean, meanCorrection!), scale);
      return { direction, moments: [mean, squares] };
    },
  },
  adagrad: {
    defaults: { epsilon: 1e-10 },
    moments: () => 1,
    step({ epsilon }, g, [s]) {
      const sum = call("add", s!, square(g));
      return {
        direction: call("div", g, call("add", call("sqrt", sum), epsilon!)),
        moments: [sum],
      };
    },
  },
  adadelta: {
    defaults: { rho: 0.9, epsilon: 1e-6 },
    moments: () => 2,
    step({ rho, epsilon }, g, [s, u]) {
      const squares = blend(s!, square(g), rho!);
      const ratio = call("div", call("add", u!, epsilon!), call("add", squares, epsilon!));
      const direction = call("mul", g, call("sqrt", ratio));
      return { direction, moments: [squares, blend(u!, square(direction), rho!)] };
    },
  },
  rmsprop: {
    defaults: { alpha: 0.99, epsilon: 1e-8 },
    moments: () => 1,
    step({ alpha, epsilon }, g, [s]) {
      const squares = blend(s!, square(g), alpha!);
      const direction = call("div", g, call("add", call("sqrt", squares), epsilon!));
      return { direction, moments: [squares] };
    },
  },
};

/** What an optimizer adds to a step. */
export interface OptimizerUpdates {
  readonly updates: readonly Update[];
  /** The variable that each moment belongs to; moments are the slots after the weights. */
  readonly moments: readonly { readonly slot: number; readonly of: number }[];
  /** Scalars that must be written before each step, `learning rate` apart. */
  readonly scalars: StepScalars;
}

/**
 * Appends the updates of weights.
 *
 * @param gradients of the trainable variables by slot
 * @param firstSlot the first slot for moments
 * @throws {NotRecordable} an optimizer without rule
 */
export function appendOptimizer(
  graph: GraphBuilder,
  gradients: readonly { readonly slot: number; readonly gradient: Value }[],
  firstSlot: number,
  name: string,
  given: JsonObject,
): OptimizerUpdates {
  if (!Object.hasOwn(UPDATE_RULES, name)) {
    throw new NotRecordable(`there is no rule for optimizer "${name}"`);
  }
  const rule = UPDATE_RULES[name]!;
  const args = { ...rule.defaults, ...given as Args };
  const scalars = rule.scalars?.(args) ?? {};
  const scalar = (named: string) => graph.make({ kind: "scalar", name: named }, [], [], false);
  const updates: Update[] = [];
  const moments: { slot: number; of: number }[] = [];
  for (const { slot, gradient } of gradients) {
    const { dims } = gradient;
    const variable = (of: number) => graph.make({ kind: "variable", slot: of }, [], dims, false);
    const slots = Array.from({ length: rule.moments(args) }, () => {
      const own = firstSlot + moments.length;
      moments.push({ slot: own, of: slot });
      return own;
    });
    const stretch = (name: string) => graph.reshape(scalar(name), dims.map(() => 1));
    const operands = [
      gradient,
      ...slots.map(variable),
      ...Object.keys(scalars).map(stretch),
    ];
    const made = slots.map((own, index) => {
      const value = graph.map(
        (g, ...rest) =>
          rule.step(args, g!, rest.slice(0, slots.length), rest.slice(slots.length))
            .moments[index]!,
        operands,
        dims,
      );
      return { slot: own, value };
    });
    const value = graph.map(
      (w, rate, g, ...rest) => {
        const { direction } = rule.step(
          args,
          g!,
          rest.slice(0, slots.length),
          rest.slice(slots.length),
        );
        return call("sub", w!, call("mul", direction, rate!));
      },
      [variable(slot), stretch("learning rate"), ...operands],
      dims,
    );
    updates.push(...made, { slot, value });
  }
  return { updates, moments, scalars };
}

/**
 * The optimizers' rules in the graph's own terms, so that the update of a weight can join the kernel
 * that makes its gradient.
 */
import type { JsonObject } from "../../core/json.ts";
import {
  type Algebra,
  optimizerRule,
  proximalGradient,
  type StepScalars,
} from "../optimizer_rules.ts";
import { call, type Expression } from "./expression.ts";
import type { GraphBuilder, Update, Value } from "./graph.ts";

const EXPRESSIONS: Algebra<Expression> = {
  add: (a, b) => call("add", a, b),
  mul: (a, b) => call("mul", a, b),
  div: (a, b) => call("div", a, b),
  sqrt: (a) => call("sqrt", a),
  square: (a) => call("mul", a, a),
};

/** What an optimizer adds to a step. */
export interface OptimizerUpdates {
  readonly updates: readonly Update[];
  /** The variable that each moment belongs to; moments are the slots after the weights. */
  readonly moments: readonly { readonly slot: number; readonly of: number }[];
  /** The variable that each anchor belongs to, for a proximal term; the slots after the moments. */
  readonly anchors: readonly { readonly slot: number; readonly of: number }[];
  /** Scalars that must be written before each step, `learning rate` apart. */
  readonly scalars: StepScalars;
}

/**
 * Appends the updates of weights.
 *
 * @param gradients of the trainable variables by slot
 * @param firstSlot the first slot for moments
 * @param proximalMu weight of FedProx's term; 0 for none
 * @throws {ModelError} as `optimizerRule`
 */
export function appendOptimizer(
  graph: GraphBuilder,
  gradients: readonly { readonly slot: number; readonly gradient: Value }[],
  firstSlot: number,
  name: string,
  given: JsonObject,
  proximalMu = 0,
): OptimizerUpdates {
  const { rule, args } = optimizerRule(name, given);
  const scalars = rule.scalars?.(args) ?? {};
  const scalar = (named: string) => graph.make({ kind: "scalar", name: named }, [], [], false);
  const updates: Update[] = [];
  const moments: { slot: number; of: number }[] = [];
  const firstAnchor = firstSlot + gradients.length * rule.moments(args);
  const anchors = proximalMu === 0
    ? []
    : gradients.map(({ slot }, i) => ({ slot: firstAnchor + i, of: slot }));
  for (const [i, { slot, gradient: lossGradient }] of gradients.entries()) {
    const { dims } = lossGradient;
    const variable = (of: number) => graph.make({ kind: "variable", slot: of }, [], dims, false);
    const anchor = anchors[i];
    const gradient = anchor === undefined ? lossGradient : graph.map(
      (g, w, a) => proximalGradient(EXPRESSIONS, g!, w!, a!, proximalMu),
      [lossGradient, variable(slot), variable(anchor.slot)],
      dims,
    );
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
    const step = (g: Expression, rest: readonly Expression[]) =>
      rule.step(EXPRESSIONS, g, rest.slice(0, slots.length), args, rest.slice(slots.length));
    const made = slots.map((own, index) => {
      const value = graph.map(
        (g, ...rest) => step(g!, rest).moments[index]!,
        operands,
        dims,
      );
      return { slot: own, value };
    });
    const value = graph.map(
      (w, rate, g, ...rest) => {
        return call("sub", w!, call("mul", step(g!, rest).direction, rate!));
      },
      [variable(slot), stretch("learning rate"), ...operands],
      dims,
    );
    updates.push(...made, { slot, value });
  }
  return { updates, moments, anchors, scalars };
}

/** Common ground of the passes: a graph is built anew, value by value. */
import { type GraphBuilder, reachable, type StepGraph, type Value } from "../graph.ts";

/** A pass: a graph that computes the same in another way. */
export type Pass = (graph: StepGraph, builder: GraphBuilder) => StepGraph;

/** How many values and results use each value. */
export function countUses(graph: StepGraph): Map<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const value of reachable(graph)) value.inputs.forEach(use);
  [graph.loss, graph.outputs, ...graph.updates.map(({ value }) => value)].forEach(use);
  return uses;
}

/**
 * Builds all values anew.
 *
 * @param make the new value for an old one, given its new inputs
 */
export function rewrite(
  graph: StepGraph,
  make: (value: Value, inputs: readonly Value[]) => Value,
): StepGraph {
  const made = new Map<Value, Value>();
  for (const value of reachable(graph)) {
    made.set(value, make(value, value.inputs.map((input) => made.get(input)!)));
  }
  return {
    samples: graph.samples,
    loss: made.get(graph.loss)!,
    outputs: made.get(graph.outputs)!,
    updates: graph.updates.map(({ slot, value }) => ({ slot, value: made.get(value)! })),
  };
}

/** The same value with new inputs. */
export function rebuilt(builder: GraphBuilder, value: Value, inputs: readonly Value[]): Value {
  const { operation, dims, batched } = value;
  if (operation.kind === "reshape") return builder.reshape(inputs[0]!, dims);
  return builder.make(operation, inputs, dims, batched);
}

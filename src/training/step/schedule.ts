/** The order of a step's computations: updates of variables come after all that read them. */
import { canUpdate } from "./split_values.ts";
import { reachable, type StepGraph, type Value } from "./graph.ts";
import { NotRecordable } from "./not_recordable.ts";

/** What is done at one point of the step. */
export interface Instruction {
  readonly value: Value;
  /** The variable that the result is stored in or added to; null for a place of its own. */
  readonly update: { readonly slot: number; readonly accumulate: boolean } | null;
}

const SOURCES = ["input", "variable", "scalar", "constant", "lanes", "random", "reshape"];

/** The value whose memory this one is. */
export function rootOf(value: Value): Value {
  return value.operation.kind === "reshape" ? rootOf(value.inputs[0]!) : value;
}

/** Whether a value needs no kernel. */
export function isSource({ operation }: Value): boolean {
  return SOURCES.includes(operation.kind);
}

/**
 * Orders a graph.
 *
 * @throws {NotRecordable} updates of variables need each other's old values
 */
export function schedule(graph: StepGraph): Instruction[] {
  const uses = new Map<Value, number>();
  const use = (value: Value) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const value of reachable(graph)) value.inputs.forEach(use);
  [graph.loss, graph.outputs, ...graph.updates.map(({ value }) => value)].forEach(use);
  const pending: { slot: number; value: Value; accumulate: boolean }[] = [];
  const replaced = new Set<Value>();
  for (const { slot, value } of graph.updates) {
    const gradient = plainStep(value, slot);
    // The kernel of a gradient can add it to the weight, if nothing else needs it.
    if (
      gradient !== null && uses.get(value) === 1 && uses.get(gradient) === 1 &&
      canUpdate(rootOf(gradient))
    ) {
      replaced.add(value).add(gradient).add(rootOf(gradient));
      pending.push({ slot, value: rootOf(gradient), accumulate: true });
    } else if (value.operation.kind === "map" && uses.get(value) === 1) {
      replaced.add(value);
      pending.push({ slot, value, accumulate: false });
    } else pending.push({ slot, value, accumulate: false });
  }
  const instructions: Instruction[] = [];
  const values = reachable(graph).filter((value) => !isSource(value) && !replaced.has(value));
  const readers = new Map<number, number>();
  const count = (value: Value, by: number) => {
    for (const input of new Set(value.inputs.map(rootOf))) {
      if (input.operation.kind !== "variable") continue;
      const { slot } = input.operation;
      readers.set(slot, (readers.get(slot) ?? 0) + by);
    }
  };
  for (const value of values) count(value, 1);
  for (const { value } of pending) if (replaced.has(value)) count(value, 1);
  const done = new Set<Value>();
  const isReady = (value: Value) =>
    value.inputs.every((input) => isSource(rootOf(input)) || done.has(rootOf(input)));
  /** Does the updates of which the operands are ready and the variable is read no more. */
  const flush = () => {
    for (let again = true; again;) {
      again = false;
      for (const [index, { slot, value, accumulate }] of pending.entries()) {
        const own = replaced.has(value);
        const readsItself = own && value.inputs.some((input) => isVariable(rootOf(input), slot));
        if ((readers.get(slot) ?? 0) > (readsItself ? 1 : 0)) continue;
        if (own ? !isReady(value) : !done.has(rootOf(value)) && !isSource(rootOf(value))) continue;
        instructions.push({ value: own ? value : copyOf(value), update: { slot, accumulate } });
        if (own) count(value, -1);
        pending.splice(index, 1);
        again = true;
        break;
      }
    }
  };
  for (const value of values) {
    instructions.push({ value, update: null });
    done.add(value);
    count(value, -1);
    flush();
  }
  flush();
  if (pending.length > 0) throw new NotRecordable("variables are updated from each other");
  return instructions;
}

/** The last instruction that reads each value; the results of the step are read at its end. */
export function lastUses(
  graph: StepGraph,
  instructions: readonly Instruction[],
): Map<Value, number> {
  const last = new Map<Value, number>();
  instructions.forEach(({ value }, index) => {
    for (const input of value.inputs) last.set(rootOf(input), index);
  });
  for (const value of [graph.loss, graph.outputs]) last.set(rootOf(value), Infinity);
  return last;
}

/** g, if a value is `w - g * learning rate`. */
function plainStep({ operation, inputs }: Value, slot: number): Value | null {
  if (operation.kind !== "map" || inputs.length !== 3) return null;
  const { expression } = operation;
  if (JSON.stringify(expression) !== PLAIN_STEP) return null;
  const [w, g, rate] = orderOf(inputs);
  return w !== undefined && g !== undefined && rate !== undefined && isVariable(w, slot) ? g : null;
}

const PLAIN_STEP = JSON.stringify({
  f: "sub",
  args: [{ arg: 0 }, { f: "mul", args: [{ arg: 1 }, { arg: 2 }] }],
});

/** Variable, gradient and rate as the plain step numbers them. */
function orderOf(inputs: readonly Value[]): (Value | undefined)[] {
  const [w, g, rate] = inputs;
  return rootOf(rate!).operation.kind === "scalar" ? [w, g, rate] : [];
}

function isVariable({ operation }: Value, slot: number): boolean {
  return operation.kind === "variable" && operation.slot === slot;
}

/** A map that only copies a value. */
function copyOf(value: Value): Value {
  return {
    ...value,
    operation: { kind: "map", expression: { arg: 0 } },
    inputs: [value],
  };
}

/** Which thread computes what of the sums over the batch, and when. */
import assert from "node:assert/strict";
import type { KernelUse } from "../../../src/training/step/kernel_use.ts";
import type { Value } from "../../../src/training/step/graph.ts";
import {
  cutOutputs,
  inProportion,
  shareWaiting,
  type Task,
} from "../../../src/training/step/shares.ts";

const LANES = 32;

/** The gradient of a dense layer of so many inputs and as many outputs. */
function gradientOf(units: number): Value {
  const graph = { id: 0, inputs: [], batched: true, clean: true };
  const activations: Value = {
    ...graph,
    operation: { kind: "input", name: "items" },
    dims: [units],
  };
  return {
    ...{ ...graph, inputs: [activations, activations], dims: [units, units], batched: false },
    operation: { kind: "dense", part: "weightGradient", finish: {} },
  };
}

/** A gradient that one of two threads computes whole. */
function whole(units: number, phase: number, share = 0): Task {
  const use = [{ operands: [{ of: units }] } as unknown as KernelUse];
  const instruction = { value: gradientOf(units), update: { slot: 0, accumulate: true } };
  const uses = share === 0 ? [use, []] : [[], use];
  return { instruction, phase, share, uses, waiting: () => use };
}

/** Phase and thread of each task. */
function turnsOf(tasks: readonly Task[]): [number, number][] {
  return tasks.map(({ phase, share, uses }) => {
    assert.deepEqual(uses.map(({ length }) => length), [0, 1].map((t) => t === share ? 1 : 0));
    return [phase, share as number];
  });
}

Deno.test("shareWaiting() has gradients wait for one that keeps another thread as busy", () => {
  const tasks = [whole(50, 3), whole(50, 5), whole(60, 7), whole(60, 9)];
  assert.deepEqual(turnsOf(shareWaiting(tasks, LANES, 2)), [[5, 0], [5, 1], [9, 0], [9, 1]]);
});

Deno.test("shareWaiting() has a thread compute small gradients beside a large one", () => {
  // 2 * 100 * 100 are about as many as 4 times 2 * 50 * 50.
  const tasks = [whole(100, 1), ...[2, 3, 4, 5].map((phase) => whole(50, phase))];
  const turns = turnsOf(shareWaiting(tasks, LANES, 2));
  assert.deepEqual(turns[0], [turns[1]![0], 0]);
  assert.ok(turns.slice(1, 4).every(([, thread]) => thread === 1), String(turns));
});

Deno.test("shareWaiting() leaves what must not wait, and ends with the last gradient", () => {
  const { waiting: _, ...pinned } = whole(80, 2, 1);
  const tasks = [whole(80, 1), pinned, whole(10, 4)];
  assert.deepEqual(turnsOf(shareWaiting(tasks, LANES, 2)), [[4, 0], [2, 1], [4, 1]]);
});

/** A gradient whose outputs threads share, with the outputs that each of them computes. */
function cut(units: number, phase: number) {
  const seen: number[] = [];
  const usesOf = ({ count }: { readonly count: number }) => {
    seen.push(count);
    return [];
  };
  const task: Task = {
    instruction: { value: gradientOf(units), update: null },
    ...{ phase, share: "outputs", uses: [], cut: { count: units, usesOf } },
  };
  return { task, seen };
}

Deno.test("cutOutputs() gives fewer outputs to a thread that has whole tasks in the phase", () => {
  const shared = cut(100, 1);
  // Each cost of `whole` is 2 * 50 * 50 + 8 * 100, that of the shared one 2 * 100 * 100 + 8 * 200.
  const tasks = [whole(50, 1, 1), whole(50, 1, 1), shared.task, whole(70, 2, 0)];
  const uses = cutOutputs(tasks, LANES, 2).map(({ uses }) => uses.length);
  assert.deepEqual(uses, [2, 2, 2, 2]);
  // Of 21,600 + 11,600 each thread has 16,600 to do, and the second one 11,600 of them elsewhere.
  assert.deepEqual(shared.seen, [77, 23]);
});

Deno.test("cutOutputs() cuts evenly where threads have about as much to do", () => {
  const shared = cut(100, 1);
  cutOutputs([whole(20, 1, 1), shared.task], LANES, 2);
  assert.deepEqual(shared.seen, [50, 50]);
});

Deno.test("inProportion() leaves no output out", () => {
  assert.deepEqual(inProportion(16, [1, 1, 1]), [
    { first: 0, count: 5 },
    { first: 5, count: 6 },
    { first: 11, count: 5 },
  ]);
  assert.deepEqual(inProportion(6, [0, 2]), [{ first: 0, count: 0 }, { first: 0, count: 6 }]);
});

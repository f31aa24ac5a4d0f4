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

/** Which gradient it is does not matter here. */
const VALUE: Value = {
  ...{ id: 0, inputs: [], dims: [9, 9], batched: false, clean: true },
  operation: { kind: "dense", part: "weightGradient", finish: {} },
};

/** A gradient that one of two threads computes whole. */
function whole(cost: number, phase: number, share = 0): Task {
  const use = [{ operands: [{ of: cost }] } as unknown as KernelUse];
  const instruction = { value: VALUE, update: { slot: 0, accumulate: true } };
  const uses = share === 0 ? [use, []] : [[], use];
  return { instruction, cost, phase, share, uses, waiting: () => use };
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
  assert.deepEqual(turnsOf(shareWaiting(tasks, 2)), [[5, 0], [5, 1], [9, 0], [9, 1]]);
});

Deno.test("shareWaiting() has a thread compute small gradients beside a large one", () => {
  const tasks = [whole(200, 1), ...[2, 3, 4, 5].map((phase) => whole(50, phase))];
  const turns = turnsOf(shareWaiting(tasks, 2));
  assert.deepEqual(turns[0], [turns[1]![0], 0]);
  assert.ok(turns.slice(1, 4).every(([, thread]) => thread === 1), String(turns));
});

Deno.test("shareWaiting() leaves what must not wait, and ends with the last gradient", () => {
  const { waiting: _, ...pinned } = whole(80, 2, 1);
  const tasks = [whole(80, 1), pinned, whole(10, 4)];
  assert.deepEqual(turnsOf(shareWaiting(tasks, 2)), [[4, 0], [2, 1], [4, 1]]);
});

/** A gradient whose outputs threads share, with the outputs that each of them computes. */
function cut(count: number, cost: number, phase: number) {
  const seen: number[] = [];
  const usesOf = ({ count }: { readonly count: number }) => {
    seen.push(count);
    return [];
  };
  const task: Task = {
    instruction: { value: VALUE, update: null },
    ...{ cost, phase, share: "outputs", uses: [], cut: { count, usesOf } },
  };
  return { task, seen };
}

Deno.test("cutOutputs() gives fewer outputs to a thread that has whole tasks in the phase", () => {
  const shared = cut(100, 80, 1);
  const tasks = [whole(20, 1, 1), whole(20, 1, 1), shared.task, whole(70, 2, 0)];
  const uses = cutOutputs(tasks, 2).map(({ uses }) => uses.length);
  assert.deepEqual(uses, [2, 2, 2, 2]);
  // Of 80 + 40 each thread has 60 to do, and the second one 40 of them elsewhere.
  assert.deepEqual(shared.seen, [75, 25]);
});

Deno.test("cutOutputs() cuts evenly where threads have about as much to do", () => {
  const shared = cut(100, 80, 1);
  cutOutputs([whole(2, 1, 1), shared.task], 2);
  assert.deepEqual(shared.seen, [50, 50]);
});

Deno.test("cutOutputs() gives coarse tasks whole to a thread each, and cuts what makes them even", () => {
  const [large, small, fine, next] = [
    cut(6, 100, 1),
    cut(30, 20, 1),
    cut(600, 120, 1),
    cut(8, 1, 2),
  ];
  cutOutputs([fine.task, small.task, large.task, next.task], 2);
  // Each thread has 120 to do: the one 100 and a sixth of 120, the other 20 and the rest.
  assert.deepEqual(large.seen, [6, 0]);
  assert.deepEqual(small.seen, [0, 30]);
  assert.deepEqual(fine.seen, [100, 500]);
  assert.deepEqual(next.seen, [4, 4]);
});

Deno.test("inProportion() leaves no output out", () => {
  assert.deepEqual(inProportion(16, [1, 1, 1]), [
    { first: 0, count: 5 },
    { first: 5, count: 6 },
    { first: 11, count: 5 },
  ]);
  assert.deepEqual(inProportion(6, [0, 2]), [{ first: 0, count: 0 }, { first: 0, count: 6 }]);
});

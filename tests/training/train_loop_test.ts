/** The loop of local training, with a learner that only counts and a clock that only it moves. */
import assert from "node:assert/strict";
import type { Dataset } from "../../src/data/dataset.ts";
import type { BatchOutcome, Learner } from "../../src/training/learner.ts";
import { allIndices } from "../../src/core/prng.ts";
import { trainItems } from "../../src/training/train_loop.ts";
import { SETTINGS } from "./tiny.ts";

const ITEMS: Dataset = {
  name: "items",
  items: new Uint8Array(1000),
  shape: [1],
  count: 1000,
  labels: new Int32Array(1000),
  targetShape: [],
  classes: 1,
  classesDeclared: true,
  labelCounts: null,
  normalise: null,
};
const STEP_MS = 7;

class CountingLearner implements Learner {
  readonly device = "cpu";
  readonly threads = 1;
  nowMs = 0;
  steps = 0;
  readonly now = () => this.nowMs;
  readonly #outcome: (step: number) => BatchOutcome | Promise<BatchOutcome>;

  constructor(
    outcome: (step: number) => BatchOutcome | Promise<BatchOutcome> = () => ({ loss: 1, right: 2 }),
  ) {
    this.#outcome = outcome;
  }

  train() {
    this.nowMs += STEP_MS;
    this.steps += 1;
    return this.#outcome(this.steps);
  }
  evaluate(): never {
    throw new Error("the loop trains only");
  }
  useDataset() {}
  setWeights() {}
  copyWeights() {}
  startTraining() {}
  dispose() {}
}

/** Trains 250 batches of 4. */
function trainAll(learner: CountingLearner, throwIfCancelled = () => {}, reported: number[] = []) {
  return trainItems(learner, ITEMS, allIndices(1000), SETTINGS, { order: 1, layers: 1 }, {
    now: learner.now,
    throwIfCancelled,
    onProgress: () => reported.push(learner.nowMs),
  });
}

Deno.test("trainItems() reports at most ten times a second and once at the end", async () => {
  const learner = new CountingLearner();
  const reported: number[] = [];
  const { miniBatches, loss, accuracy } = await trainAll(learner, () => {}, reported);
  assert.deepEqual([miniBatches, loss, accuracy], [250, 1, 0.5]);
  assert.equal(reported.at(-1), 1750);
  const last = reported.slice(0, -1);
  // A step takes 7 ms, so 100 ms have passed with every 15th.
  assert.equal(last.length, 16);
  last.slice(1).forEach((at, i) => assert.ok(at - last[i]! >= 100, String(reported)));
});

for (const how of ["at once", "later"] as const) {
  Deno.test(`trainItems() begins no step after it is cancelled, with outcomes told ${how}`, async () => {
    const outcome = { loss: 1, right: 0 };
    const learner = new CountingLearner(() =>
      how === "at once" ? outcome : Promise.resolve(outcome)
    );
    const cancelled = new Error("cancelled");
    const training = trainAll(learner, () => {
      if (learner.steps === 10) throw cancelled;
    });
    await assert.rejects(training, cancelled);
    assert.equal(learner.steps, 10);
  });
}

Deno.test("trainItems() asks for the next step while the one before is computed, and no further", async () => {
  let computing = 0;
  let most = 0;
  const learner = new CountingLearner(async () => {
    most = Math.max(most, ++computing);
    await new Promise((resolve) => setTimeout(resolve, 0));
    computing -= 1;
    return { loss: 0.5, right: 4 };
  });
  const { miniBatches, accuracy } = await trainAll(learner);
  assert.deepEqual([miniBatches, accuracy, most, computing], [250, 1, 2, 0]);
});

Deno.test("trainItems() names the batch whose loss is no number", async () => {
  const learner = new CountingLearner((step) => ({ loss: step === 5 ? NaN : 1, right: 0 }));
  await assert.rejects(trainAll(learner), /loss is NaN at mini-batch 5: try a learning rate below/);
  assert.ok(learner.steps <= 6);
});

Deno.test("trainItems() passes on why a device breaks off, and leaves no promise behind", async () => {
  const lost = new Error("device lost");
  const learner = new CountingLearner((step) =>
    step < 3 ? Promise.resolve({ loss: 1, right: 0 }) : Promise.reject(lost)
  );
  await assert.rejects(trainAll(learner), lost);
});

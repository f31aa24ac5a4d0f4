/**
 * A federation learns what its data teach: its accuracy is that of federated averaging done in one
 * place, by arithmetic that shares nothing with the product but the two kinds of files.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";
import { type Images, readImages } from "./stock_tfjs.ts";

const [PIXELS, HIDDEN, CLASSES] = [28 * 28, 128, 10];
const [ROUNDS, BATCH, LEARNING_RATE] = [6, 32, 0.05];

const data = await makeMnist(2, 1500);

Deno.test("a federation is as accurate as federated averaging written in plain arrays", async () => {
  const test = await readImages(join(data.leader, "MNIST"));
  const parts = await Promise.all([1, 2].map((n) => readImages(join(data.part(n), "MNIST"))));
  const federated = await federatedAccuracy();
  const central = centralAccuracy(parts.map(withoutTest), test, random(1));
  assert.ok(federated > 0.85, `federated ${federated}`);
  assert.ok(
    Math.abs(federated - central) <= 0.02,
    `federated ${federated}, in one place ${central}`,
  );
});

async function federatedAccuracy(): Promise<number> {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const session = await federation.session(runConfig({
    server: { num_training_rounds: ROUNDS },
    client: { batch_size: BATCH, learning_rate: LEARNING_RATE },
  }));
  assert.equal(await session.exitCode(), 0, session.printed());
  return (await federation.results()).final.validation.accuracy;
}

/** A client trains on nineteen twentieths of its items. */
function withoutTest({ pixels, labels }: Images): Images {
  const count = Math.round(labels.length * 0.95);
  return { pixels: pixels.subarray(0, count * PIXELS), labels: labels.subarray(0, count) };
}

/** An MLP 784-128-10 with ReLU: weights by input, then by output, and biases. */
interface Mlp {
  readonly w1: Float64Array;
  readonly b1: Float64Array;
  readonly w2: Float64Array;
  readonly b2: Float64Array;
}

function centralAccuracy(parts: readonly Images[], test: Images, next: () => number): number {
  let global: Mlp = {
    w1: drawn(PIXELS * HIDDEN, Math.sqrt(6 / (PIXELS + HIDDEN)), next),
    b1: new Float64Array(HIDDEN),
    w2: drawn(HIDDEN * CLASSES, Math.sqrt(6 / (HIDDEN + CLASSES)), next),
    b2: new Float64Array(CLASSES),
  };
  for (let round = 0; round < ROUNDS; round++) {
    const trained = parts.map((part) => ({
      mlp: trainEpoch(global, part, next),
      weight: part.labels.length,
    }));
    global = mean(trained);
  }
  let right = 0;
  for (let item = 0; item < test.labels.length; item++) {
    const { logits } = forward(global, pixelsOf(test, item));
    if (logits.indexOf(Math.max(...logits)) === test.labels[item]) right++;
  }
  return right / test.labels.length;
}

/** One pass of mini-batch gradient descent on the mean cross-entropy, from a copy. */
function trainEpoch(start: Mlp, part: Images, next: () => number): Mlp {
  const mlp = mapped(start, (values) => values.slice());
  const order = Array.from(part.labels, (_, item) => ({ item, key: next() }))
    .sort((a, b) => a.key - b.key);
  for (let from = 0; from < order.length; from += BATCH) {
    const batch = order.slice(from, from + BATCH);
    const gradient = mapped(mlp, (values) => new Float64Array(values.length));
    for (const { item } of batch) {
      addGradient(gradient, mlp, pixelsOf(part, item), part.labels[item]!);
    }
    const step = LEARNING_RATE / batch.length;
    for (const key of ["w1", "b1", "w2", "b2"] as const) {
      const [values, slopes] = [mlp[key], gradient[key]];
      for (let i = 0; i < values.length; i++) values[i]! -= step * slopes[i]!;
    }
  }
  return mlp;
}

function forward({ w1, b1, w2, b2 }: Mlp, pixels: Float32Array) {
  const hidden = b1.slice();
  for (let p = 0; p < PIXELS; p++) {
    const x = pixels[p]!;
    if (x === 0) continue;
    for (let h = 0; h < HIDDEN; h++) hidden[h]! += x * w1[p * HIDDEN + h]!;
  }
  for (let h = 0; h < HIDDEN; h++) hidden[h] = Math.max(0, hidden[h]!);
  const logits = b2.slice();
  for (let h = 0; h < HIDDEN; h++) {
    for (let c = 0; c < CLASSES; c++) logits[c]! += hidden[h]! * w2[h * CLASSES + c]!;
  }
  return { hidden, logits };
}

/** Adds the gradient of one item's softmax cross-entropy. */
function addGradient(gradient: Mlp, mlp: Mlp, pixels: Float32Array, label: number): void {
  const { hidden, logits } = forward(mlp, pixels);
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  const error = powers.map((power, c) => power / sum - (c === label ? 1 : 0));
  const hiddenError = new Float64Array(HIDDEN);
  for (let c = 0; c < CLASSES; c++) gradient.b2[c]! += error[c]!;
  for (let h = 0; h < HIDDEN; h++) {
    if (hidden[h] === 0) continue;
    for (let c = 0; c < CLASSES; c++) {
      gradient.w2[h * CLASSES + c]! += hidden[h]! * error[c]!;
      hiddenError[h]! += error[c]! * mlp.w2[h * CLASSES + c]!;
    }
    gradient.b1[h]! += hiddenError[h]!;
  }
  for (let p = 0; p < PIXELS; p++) {
    const x = pixels[p]!;
    if (x === 0) continue;
    for (let h = 0; h < HIDDEN; h++) gradient.w1[p * HIDDEN + h]! += x * hiddenError[h]!;
  }
}

/** Mean of models, weighted by their items. */
function mean(trained: readonly { readonly mlp: Mlp; readonly weight: number }[]): Mlp {
  const total = trained.reduce((sum, { weight }) => sum + weight, 0);
  const result = mapped(trained[0]!.mlp, (values) => new Float64Array(values.length));
  for (const { mlp, weight } of trained) {
    for (const key of ["w1", "b1", "w2", "b2"] as const) {
      mlp[key].forEach((value, i) => result[key][i]! += value * weight / total);
    }
  }
  return result;
}

function mapped(mlp: Mlp, change: (values: Float64Array) => Float64Array): Mlp {
  return { w1: change(mlp.w1), b1: change(mlp.b1), w2: change(mlp.w2), b2: change(mlp.b2) };
}

function pixelsOf({ pixels }: Images, item: number): Float32Array {
  return pixels.subarray(item * PIXELS, (item + 1) * PIXELS);
}

function drawn(count: number, bound: number, next: () => number): Float64Array {
  return Float64Array.from({ length: count }, () => bound * (2 * next() - 1));
}

/** Park and Miller's generator: numbers in (0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return function next() {
    state = state * 48_271 % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

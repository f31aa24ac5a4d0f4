/** Data and batches that hurt: numbers that are none, labels out of range, odd sizes of batches. */
import assert from "node:assert/strict";
import { DataError, ModelError } from "../../src/core/errors.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { encodeIdx } from "../../src/data/idx.ts";
import { linearRequest, never, withTrainer, writeHalves } from "./tiny.ts";

const ignore = () => {};

/** Bytes of an IDX file of floats. */
function floatIdx(values: Float32Array, sizes: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 4 * sizes.length + 4 * values.length));
  view.setUint32(0, 0x0d00 + sizes.length);
  sizes.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  values.forEach((value, i) => view.setFloat32(4 + 4 * sizes.length + 4 * i, value));
  return new Uint8Array(view.buffer);
}

for (const value of [NaN, Infinity, -Infinity]) {
  Deno.test(`train() names dataset, item and number of a ${value} among the items`, () =>
    withTrainer(async (trainer, folder) => {
      await writeHalves(folder, 20);
      const images = new Float32Array(20 * 4).fill(0.5);
      images[17 * 4 + 2] = value;
      await Deno.writeFile(`${folder}/images`, floatIdx(images, [20, 2, 2]));
      const request = await linearRequest(trainer, folder);
      const name = folder.split("/").at(-1);
      await assert.rejects(trainer.train(request, ignore, never), (error) => {
        assert.ok(error instanceof DataError, String(error));
        assert.equal(
          error.message,
          `Cannot use dataset ${name} as number 2 of item 17 is ${value}: all must be finite`,
        );
        return true;
      });
    }));
}

Deno.test("train() names dataset, row and number of a NaN among the targets", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const labels = new Float32Array(20);
    labels[3] = NaN;
    await Deno.writeFile(`${folder}/labels`, floatIdx(labels, [20]));
    const request = await linearRequest(trainer, folder, { loss: "mean_square_error" });
    await assert.rejects(
      trainer.train(request, ignore, never),
      (error) => error instanceof DataError && /as number 0 of target 3 is NaN/.test(error.message),
    );
  }));

Deno.test("train() refuses a label beyond the model's outputs, and one beyond num_classes", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    const labels = new Uint8Array(20);
    labels[7] = 2;
    await Deno.writeFile(`${folder}/labels`, encodeIdx(labels, [20]));
    await assert.rejects(
      trainer.train(request, ignore, never),
      (error) =>
        error instanceof ModelError &&
        /"dense_1" of output shape \[2\].* 3 classes need shape \[3\]$/
          .test(error.message),
    );
    const config = `${folder}/train_dataset_config.yaml`;
    await Deno.writeTextFile(config, "num_classes: 2\n", { append: true });
    await assert.rejects(
      trainer.train(request, ignore, never),
      (error) =>
        error instanceof DataError &&
        /labels with label 2 in row 8: num_classes is 2$/.test(error.message),
    );
  }));

Deno.test("train() takes a batch larger than the data as one batch of all items", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder, { batchSize: 1_000_000, epochs: 3 });
    const { metrics, samples } = await trainer.train(request, ignore, never);
    assert.equal(samples, 19);
    assert.equal(metrics.miniBatches, 3);
    assert.equal(metrics.epochs, 3);
    const exact = await trainer.train(
      { ...request, settings: { ...request.settings, batchSize: 19 } },
      ignore,
      never,
    );
    assert.equal(metrics.loss, exact.metrics.loss);
  }));

Deno.test("train() takes batches of one item as it does two that are alike", () =>
  withTrainer(async (trainer, folder) => {
    // All items but the class are the same, so that two of a class are one item twice.
    await writeHalves(folder, 40);
    await Deno.writeFile(`${folder}/labels`, encodeIdx(new Uint8Array(40), [40]));
    const images = new Uint8Array(160).map((_, i) => [255, 10, 250, 0][i % 4]!);
    await Deno.writeFile(`${folder}/images`, encodeIdx(images, [40, 2, 2]));
    const request = await linearRequest(trainer, folder, { maxMiniBatches: 5 });
    const weights = [];
    for (const batchSize of [1, 2, 4]) {
      const settings = { ...request.settings, batchSize };
      const result = await trainer.train({ ...request, settings }, ignore, never);
      assert.equal(result.metrics.miniBatches, 5);
      weights.push(decodeWeights(result.weights).values);
    }
    const [one, ...others] = weights;
    for (const other of others) {
      one!.forEach((value, i) => assert.ok(Math.abs(value - other[i]!) < 1e-6));
    }
  }));

Deno.test("train() counts a last batch of one item once", () =>
  withTrainer(async (trainer, folder) => {
    // 95 of 100 items train: 47 batches of 2 and one of 1.
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { batchSize: 2, learningRate: 0.5 });
    const { metrics } = await trainer.train(request, ignore, never);
    assert.equal(metrics.miniBatches, 48);
    assert.equal(metrics.epochs, 1);
    // A share of 95, which it would not be if the lone item counted twice.
    const right = metrics.accuracy! * 95;
    assert.ok(Math.abs(right - Math.round(right)) < 1e-9 && metrics.accuracy! <= 1, String(right));
  }));

Deno.test("train() refuses data that no memory holds, before it reads them", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    // A file of holes, which takes no room.
    await Deno.truncate(`${folder}/images`, 2 ** 40);
    await assert.rejects(
      trainer.train(request, ignore, never),
      (error) =>
        error instanceof DataError &&
        /\/images of 1048576 MB as at most 4096 MB are held in memory: divide the data among more clients$/
          .test(error.message),
    );
  }));

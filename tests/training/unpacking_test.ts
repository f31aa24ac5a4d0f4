/** Training on datasets that a trainer unpacks, as they are larger than the memory allowed. */
import assert from "node:assert/strict";
import { encode as encodePng } from "fast-png";
import { gzipSync, zipSync } from "fflate";
import { decodeWeights } from "../../src/core/weights.ts";
import { encodeNpy } from "../../src/data/npy.ts";
import { readDatasetSpec } from "../../src/data/spec.ts";
import { UnpackedDatasets } from "../../src/training/unpacked_datasets.ts";
import { createWorkerTrainer } from "../../src/training/worker_trainer.ts";
import { linearRequest, never, packageOf, SETTINGS, withTrainer } from "./tiny.ts";

const ignore = () => {};

/** A linear classifier of tables with three columns. */
const TABLE = packageOf({
  "model.js": `export default ({ tf }) => tf.sequential({ layers: [
    tf.layers.dense({ units: 2, inputShape: [3] }),
  ] });`,
});

async function writeCsv(folder: string, rows: number): Promise<void> {
  const lines = Array.from(
    { length: rows },
    (_, i) => `${Math.sin(i)},${i % 2},${(i * 37) % 11},${i / 100}`,
  );
  await Deno.writeTextFile(`${folder}/d.csv`, `a,label,b,c\n${lines.join("\n")}\n`);
  await Deno.writeTextFile(
    `${folder}/train_dataset_config.yaml`,
    "dataset_details:\n  data_filename: d.csv\nnormalize: { mean: 2, std: 3 }\n",
  );
}

async function writeImages(folder: string, images: number): Promise<void> {
  for (let i = 0; i < images; i++) {
    await Deno.mkdir(`${folder}/images/${i % 2}`, { recursive: true });
    const data = Uint8Array.from({ length: 4 }, (_, pixel) => (i * 31 + pixel * 77) % 256);
    await Deno.writeFile(
      `${folder}/images/${i % 2}/${i}.png`,
      encodePng({ width: 2, height: 2, channels: 1, depth: 8, data }),
    );
  }
  await Deno.writeTextFile(
    `${folder}/train_dataset_config.yaml`,
    "dataset_details:\n  data_filename: images/\n",
  );
}

/** A trainer of its own scratch folder, in which what it unpacked can be seen. */
async function withScratch(
  body: (folder: string, scratch: string) => Promise<void>,
): Promise<void> {
  await withTrainer(async (_, folder) => {
    const scratch = await Deno.makeTempDir();
    try {
      await body(folder, scratch);
      // Whatever was unpacked has been removed.
      assert.deepEqual([...Deno.readDirSync(scratch)], []);
    } finally {
      await Deno.remove(scratch, { recursive: true });
    }
  });
}

const ENGINE = { arithmetic: "auto", datasetBytes: 200 } as const;

/** What lies in a trainer's own temporary folder. */
function unpackedIn(scratch: string): string[] {
  const [own, ...others] = [...Deno.readDirSync(scratch)];
  assert.ok(own !== undefined && others.length === 0);
  return [...Deno.readDirSync(`${scratch}/${own.name}`)].map(({ name }) => name).sort();
}

for (const [what, write] of [["CSV", writeCsv], ["images", writeImages]] as const) {
  Deno.test(`train() gives the same bytes from unpacked ${what} as from memory, unpacked once`, () =>
    withScratch(async (folder, scratch) => {
      await write(folder, 101);
      const resident = createWorkerTrainer();
      const notices: string[] = [];
      const streaming = createWorkerTrainer({
        engine: ENGINE,
        scratchFolder: scratch,
        onNotice: (text) => notices.push(text),
      });
      try {
        const linear = await linearRequest(resident, folder, { epochs: 3, optimizer: "adam" });
        const source = { modelPackage: what === "CSV" ? TABLE : linear.modelPackage, args: {} };
        const { weights: initial } = await resident.initialise(source, 3);
        const request = { ...linear, ...source, weights: initial };
        const expected = await resident.train(request, ignore, never);
        await streaming.check(source, folder, SETTINGS.loss);
        for (let round = 0; round < 2; round++) {
          const { weights, metrics, samples } = await streaming.train(request, ignore, never);
          assert.deepEqual(weights, expected.weights);
          assert.equal(samples, expected.samples);
          assert.deepEqual(metrics.test, expected.metrics.test);
        }
        const { settings: _, seed: __, ...same } = request;
        const question = { ...same, batchSize: 7, loss: "crossentropy", splitSeed: null };
        assert.deepEqual(
          await streaming.evaluate(question, never),
          await resident.evaluate(question, never),
        );
        assert.notDeepEqual(decodeWeights(expected.weights).values, decodeWeights(initial).values);
        assert.deepEqual(unpackedIn(scratch), ["1"]);
        const [notice, ...others] = notices.filter((text) => /unpacked/.test(text));
        assert.match(notice!, /^Dataset .* was unpacked to 1 MB in .*\/1 and is read from there, /);
        assert.deepEqual(others, []);
      } finally {
        resident.close();
        streaming.close();
      }
    }));
}

Deno.test("train() unpacks a dataset anew when its file has changed, and removes what it was", () =>
  withScratch(async (folder, scratch) => {
    const trainer = createWorkerTrainer({ engine: ENGINE, scratchFolder: scratch });
    try {
      await writeCsv(folder, 100);
      const { weights } = await trainer.initialise({ modelPackage: TABLE, args: {} }, 3);
      const linear = await linearRequest(trainer, folder);
      const request = { ...linear, modelPackage: TABLE, weights };
      const first = await trainer.train(request, ignore, never);
      await writeCsv(folder, 200);
      const second = await trainer.train(request, ignore, never);
      assert.deepEqual([first.samples, second.samples], [95, 190]);
      assert.deepEqual(unpackedIn(scratch), ["2"]);
      await Deno.writeTextFile(`${folder}/d.csv`, "a,label,b,c\n1,0,2,x\n".padEnd(400, " "));
      await assert.rejects(
        trainer.train(request, ignore, never),
        /^DataError: Cannot read .*d.csv row 1 column "c": "x" is not a finite number$/,
      );
      assert.deepEqual(unpackedIn(scratch), []);
    } finally {
      trainer.close();
    }
  }));

Deno.test("train() lets a worker that datasets share read those that were unpacked", () =>
  withScratch(async (folder, scratch) => {
    for (const name of ["a", "b"]) {
      await Deno.mkdir(`${folder}/${name}`);
      await writeCsv(`${folder}/${name}`, name === "a" ? 100 : 200);
    }
    const trainer = createWorkerTrainer({
      engine: ENGINE,
      scratchFolder: scratch,
      sharedFolders: [`${folder}/a`, `${folder}/b`],
    });
    try {
      const { weights } = await trainer.initialise({ modelPackage: TABLE, args: {} }, 3);
      const linear = await linearRequest(trainer, folder);
      const samples: number[] = [];
      for (const name of ["a", "b", "a"]) {
        const datasetFolder = `${folder}/${name}`;
        const request = { ...linear, modelPackage: TABLE, weights, datasetFolder };
        samples.push((await trainer.train(request, ignore, never)).samples);
      }
      assert.deepEqual(samples, [95, 190, 95]);
      assert.deepEqual(unpackedIn(scratch), ["1", "2"]);
    } finally {
      trainer.close();
    }
  }));

Deno.test("UnpackedDatasets leave a dataset that turns out to fit where it is", () =>
  withScratch(async (folder, scratch) => {
    const x = encodeNpy(Float32Array.of(1, 2, 3), [3, 1]);
    const y = encodeNpy(Int32Array.of(0, 1, 0), [3]);
    await Deno.writeFile(`${folder}/d.npz.gz`, gzipSync(zipSync({ "x.npy": x, "y.npy": y })));
    const config = "dataset_details: { data_filename: d.npz.gz }\n";
    await Deno.writeTextFile(`${folder}/train_dataset_config.yaml`, config);
    const datasets = new UnpackedDatasets({
      budgetBytes: 200,
      scratchFolder: scratch,
      onNotice: (text) => assert.fail(text),
    });
    try {
      const { spec } = await readDatasetSpec(folder);
      assert.equal(await datasets.within(spec, never), spec);
      assert.equal(datasets.holds(spec.folder), false);
      assert.deepEqual(unpackedIn(scratch), []);
    } finally {
      datasets.close();
    }
  }));

Deno.test("train() that is aborted or closed while it unpacks leaves nothing", () =>
  withScratch(async (folder, scratch) => {
    const trainer = createWorkerTrainer({ engine: ENGINE, scratchFolder: scratch });
    try {
      await writeCsv(folder, 50_000);
      const { weights } = await trainer.initialise({ modelPackage: TABLE, args: {} }, 3);
      const request = { ...await linearRequest(trainer, folder), modelPackage: TABLE, weights };
      const abort = new AbortController();
      const reason = new Error("enough");
      const aborted = trainer.train(request, ignore, abort.signal);
      setTimeout(() => abort.abort(reason), 20);
      await assert.rejects(aborted, reason);
      const closed = trainer.train(request, ignore, never);
      setTimeout(() => trainer.close(), 20);
      await assert.rejects(closed, /Cannot use a trainer that was closed/);
    } finally {
      trainer.close();
    }
  }));

Deno.test("a process that ends by itself removes what its trainers unpacked", () =>
  withScratch(async (folder, scratch) => {
    await writeCsv(folder, 100);
    const module = new URL("../../src/training/unpacked_datasets.ts", import.meta.url).href;
    const specs = new URL("../../src/data/spec.ts", import.meta.url).href;
    const code = `
      import { UnpackedDatasets } from "${module}";
      import { readDatasetSpec } from "${specs}";
      const options = { budgetBytes: 200, scratchFolder: ${JSON.stringify(scratch)} };
      const datasets = new UnpackedDatasets({ ...options, onNotice() {} });
      const { spec } = await readDatasetSpec(${JSON.stringify(folder)});
      const { folder } = await datasets.within(spec, new AbortController().signal);
      console.log((await Deno.stat(folder + "/items.npy")).size);
      Deno.exit(0);`;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const path = `${folder}/end.ts`;
    await Deno.writeTextFile(path, code);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", "--config", config, path],
    }).output();
    // A header of 128 bytes, and three floats in each of 100 rows.
    assert.equal(new TextDecoder().decode(stdout), "1328\n", new TextDecoder().decode(stderr));
  }));

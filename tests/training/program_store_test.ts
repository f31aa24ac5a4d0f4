/** Compiled steps that later workers and processes use again. */
import assert from "node:assert/strict";
import { ModelError } from "../../src/core/errors.ts";
import { FolderPrograms } from "../../src/training/folder_programs.ts";
import { decodeProgram, encodeProgram } from "../../src/training/program_file.ts";
import { MemoryPrograms, type ProgramStore } from "../../src/training/program_store.ts";
import type { ModelProgram } from "../../src/training/step/program.ts";
import type { TrainingRequest, TrainingSettings } from "../../src/training/trainer.ts";
import type { WorkerTrainerOptions } from "../../src/training/worker_trainer.ts";
import { LINEAR, linearRequest, never, notCompilable, withTrainer, writeHalves } from "./tiny.ts";

/** The package without its files: with the same hash, but nothing to build a model of. */
const UNBUILDABLE = { ...LINEAR, files: {} };

interface Trained {
  readonly request: TrainingRequest;
  readonly bytes: Uint8Array;
}

/** Trains on 22 items (18 of them) in a worker of its own. */
async function train(
  settings: Partial<TrainingSettings>,
  options: WorkerTrainerOptions,
  change: (request: TrainingRequest) => TrainingRequest = (same) => same,
): Promise<Trained> {
  let trained: Trained | undefined;
  await withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 22);
    const request = change(await linearRequest(trainer, folder, settings));
    const { weights } = await trainer.train(request, () => {}, never);
    trained = { request, bytes: weights };
  }, options);
  return trained!;
}

const unbuildable = (request: TrainingRequest) => ({ ...request, modelPackage: UNBUILDABLE });

const CASES: Record<
  string,
  { settings: Partial<TrainingSettings>; options?: WorkerTrainerOptions }
> = {
  "plain": { settings: { epochs: 2 } },
  "with an optimizer's moments": { settings: { epochs: 2, optimizer: "adam" } },
  "with a proximal term": { settings: { epochs: 2, proximalMu: 0.5 } },
  "on two threads": {
    settings: { epochs: 2, batchSize: 8 },
    options: { engine: { arithmetic: "auto", threads: 2 } },
  },
};
for (const [name, { settings, options = {} }] of Object.entries(CASES)) {
  Deno.test(`a later worker trains by kept steps, without building the model: ${name}`, async () => {
    const programs = new MemoryPrograms();
    const first = await train(settings, { ...options, programs });
    const later = await train(settings, { ...options, programs }, unbuildable);
    assert.deepEqual(later.bytes, first.bytes);
  });
}

Deno.test("a worker that lacks a model's steps cannot train what it cannot build", async () => {
  await assert.rejects(
    train({}, { programs: new MemoryPrograms() }, unbuildable),
    (error: unknown) =>
      error instanceof ModelError && /it has none of model.json/.test(error.message),
  );
});

Deno.test("a later worker compiles the steps that were not kept, in the order of the batches", async () => {
  const programs = new MemoryPrograms();
  // The smaller last batch of an epoch is not reached.
  await train({ maxMiniBatches: 1 }, { programs });
  const settings = { epochs: 3, optimizer: "adam" } as const;
  const expected = await train({ epochs: 3 }, {});
  assert.deepEqual((await train({ epochs: 3 }, { programs })).bytes, expected.bytes);
  // Kept for one optimizer, asked for with another.
  const other = await train(settings, {});
  assert.deepEqual((await train(settings, { programs })).bytes, other.bytes);
  assert.deepEqual((await train(settings, { programs }, unbuildable)).bytes, other.bytes);
  assert.deepEqual((await train({ epochs: 3 }, { programs }, unbuildable)).bytes, expected.bytes);
});

Deno.test("a later worker evaluates by kept steps", () => {
  const programs = new MemoryPrograms();
  const evaluateOnce = async (modelPackage = LINEAR) => {
    let loss = NaN;
    await withTrainer(async (trainer, folder) => {
      await writeHalves(folder, 22);
      const { weights, datasetFolder } = await linearRequest(trainer, folder);
      const rest = { args: {}, batchSize: 4, loss: "crossentropy", splitSeed: null };
      const request = { modelPackage, weights, datasetFolder, ...rest };
      loss = (await trainer.evaluate(request, never)).loss;
    }, { programs });
    return loss;
  };
  return evaluateOnce().then(async (loss) => assert.equal(await evaluateOnce(UNBUILDABLE), loss));
});

Deno.test("kept steps are not used for a dataset of another kind", async () => {
  const programs = new MemoryPrograms();
  await train({}, { programs });
  await withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 22, "normalize: {mean: 0.5, std: 0.5}");
    const request = await linearRequest(trainer, folder);
    const { weights } = await trainer.train(request, () => {}, never);
    await withTrainer(async (other) => {
      const { weights: expected } = await other.train(request, () => {}, never);
      assert.deepEqual(weights, expected);
    });
  }, { programs });
});

Deno.test("kept steps that the runtime cannot run are compiled again, and replaced", async () => {
  const programs = new MemoryPrograms();
  const first = await train({}, { programs });
  const damaging: ProgramStore = {
    isEmpty: false,
    async get(key) {
      const program = structuredClone(await programs.get(key))!;
      for (const { steps } of Object.values(program.learners)) {
        for (const { bytes } of Object.values(steps)) bytes.fill(3, 0, 4);
      }
      return program;
    },
    put: (key, program) => programs.put(key, program),
  };
  assert.deepEqual((await train({}, { programs: damaging })).bytes, first.bytes);
  assert.deepEqual((await train({}, { programs }, unbuildable)).bytes, first.bytes);
});

Deno.test("a model whose step cannot be compiled leaves nothing to keep", async () => {
  const programs = new MemoryPrograms();
  const odd = (request: TrainingRequest) => ({ ...request, modelPackage: notCompilable() });
  await train({}, { programs }, odd);
  assert.equal(programs.isEmpty, true);
});

/** A program by whose bytes it is known again. */
function programOf(bytes: number[]): ModelProgram {
  const step = {
    bytes: Uint8Array.from(bytes),
    constants: [{ address: 8, values: Float32Array.of(1) }],
  };
  const learners = { sgd: { residence: {}, steps: { "train 4": step } } };
  return {
    layout: [],
    outputShape: [2],
    arithmetic: "portable",
    dataset: "",
    learners,
  } as unknown as ModelProgram;
}

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("FolderPrograms gives a later process what was kept, of the same code and key alone", () =>
  withFolder(async (folder) => {
    const path = `${folder}/steps`;
    const store: ProgramStore = new FolderPrograms(path, "code 1");
    assert.equal(store.isEmpty, true);
    assert.equal(await store.get("a"), null);
    await store.put("a", programOf([1, 2, 3]));
    await store.put("a", programOf([4, 5, 6]));
    const later = new FolderPrograms(path, "code 1");
    assert.equal(later.isEmpty, false);
    assert.deepEqual(await later.get("a"), programOf([4, 5, 6]));
    assert.equal(await later.get("b"), null);
    assert.equal(await new FolderPrograms(path, "code 2").get("a"), null);
  }));

Deno.test("decodeProgram() gives a whole program back, arrays of any length among it", async () => {
  const programs = new MemoryPrograms();
  let key = "";
  const spying: ProgramStore = {
    isEmpty: true,
    get: () => Promise.resolve(null),
    put: (own, program) => programs.put(key = own, program),
  };
  await train({ optimizer: "adam", proximalMu: 0.1 }, { programs: spying });
  const real = (await programs.get(key))!;
  for (const program of [real, programOf([]), programOf([1]), programOf([1, 2, 3, 4, 5])]) {
    const file = new Uint8Array(encodeProgram(program).length + 1);
    file.set(encodeProgram(program), 1);
    // Files are parts of larger arrays, which need not start at a multiple of four.
    assert.deepEqual(decodeProgram(file.subarray(1)), program);
  }
});

Deno.test("FolderPrograms does not give what was damaged or cut off", () =>
  withFolder(async (folder) => {
    const store = new FolderPrograms(folder, "code");
    await store.put("a", programOf([1, 2, 3]));
    const [{ name }] = await Array.fromAsync(Deno.readDir(folder)) as [Deno.DirEntry];
    const whole = await Deno.readFile(`${folder}/${name}`);
    for (const at of [0, 32, whole.length - 1]) {
      const damaged = whole.slice();
      damaged[at]! ^= 1;
      await Deno.writeFile(`${folder}/${name}`, damaged);
      assert.equal(await store.get("a"), null, `byte ${at}`);
    }
    for (const length of [0, 20, whole.length - 1]) {
      await Deno.writeFile(`${folder}/${name}`, whole.subarray(0, length));
      assert.equal(await store.get("a"), null, `${length} bytes`);
    }
    await Deno.writeFile(`${folder}/${name}`, whole);
    assert.deepEqual(await store.get("a"), programOf([1, 2, 3]));
  }));

Deno.test("FolderPrograms keeps the programs of 32 models", () =>
  withFolder(async (folder) => {
    const store = new FolderPrograms(folder, "code");
    for (let n = 0; n < 40; n++) {
      await store.put(`${n}`, programOf([n]));
      for await (const { name } of Deno.readDir(folder)) {
        // Times of files are too coarse for files written at once.
        const { mtime } = await Deno.stat(`${folder}/${name}`);
        await Deno.utime(
          `${folder}/${name}`,
          mtime!.getTime() / 1000 - 10,
          mtime!.getTime() / 1000 - 10,
        );
      }
    }
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 32);
    assert.equal(await store.get("7"), null);
    assert.deepEqual(await store.get("8"), programOf([8]));
    assert.deepEqual(await store.get("39"), programOf([39]));
  }));

Deno.test("MemoryPrograms keeps the programs of 8 models", async () => {
  const store = new MemoryPrograms();
  for (let n = 0; n < 9; n++) await store.put(`${n}`, programOf([n]));
  assert.equal(await store.get("0"), null);
  assert.deepEqual(await store.get("1"), programOf([1]));
});

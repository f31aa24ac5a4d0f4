import assert from "node:assert/strict";
import { Edge } from "../../src/client/edge.ts";
import { KeptResults } from "../../src/client/kept_results.ts";
import { PackageCache } from "../../src/client/package_cache.ts";
import { ModelError } from "../../src/core/errors.ts";
import { modelPackage } from "../../src/core/model_package.ts";
import { decodeWeights, encodeWeights } from "../../src/core/weights.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { silentLogger } from "../../src/log/log.ts";
import type { TrainJob } from "../../src/rpc/transport.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { jobOf } from "../contract/edge_fake.ts";
import { FakeTrainer } from "../fixtures/fake_trainer.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";
import { LAYOUT, PACKAGE } from "../session/world.ts";

const forever = new AbortController().signal;

/** Encoded weights whose floats are all `value`. */
function weightsOf(value: number): { id: string; bytes: Uint8Array<ArrayBuffer> } {
  const { bytes } = encodeWeights({ layout: LAYOUT, values: new Float32Array(3).fill(value) });
  return { id: weightsId(bytes), bytes };
}

async function* frames(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10) {
    yield await Promise.resolve(bytes.subarray(at, at + 10));
  }
}

interface EdgeWorld {
  readonly edge: Edge;
  readonly trainer: FakeTrainer;
  readonly blobs: ReturnType<typeof openMemoryStore>["blobs"];
  /** Times that the client was told to introduce itself anew. */
  changes(): number;
  send(value: number): Promise<string>;
  holds(...ids: string[]): Promise<readonly string[]>;
  train(job: TrainJob): ReturnType<Edge["train"]>;
}

async function withEdge(
  use: (world: EdgeWorld) => Promise<void>,
  trainer = new FakeTrainer(),
  { blobs } = openMemoryStore(),
  heldWeights: readonly string[] = [],
  slowdown?: number,
): Promise<void> {
  await inTempFolder(async (folder) => {
    let changes = 0;
    const description = { dataset_details: {}, metadata: { num_items: 100 } };
    const edge = new Edge({
      name: "workstation_1",
      datasets: new Map([["D", { folder: "/data/D", description }]]),
      packages: await PackageCache.open(folder, silentLogger),
      weights: blobs,
      heldWeights,
      results: await KeptResults.open(folder, silentLogger),
      trainer,
      ...(slowdown !== undefined && { slowdown }),
      logger: silentLogger,
      onPackages: () => changes++,
    });
    await use({
      edge,
      trainer,
      blobs,
      changes: () => changes,
      async send(value) {
        const { id, bytes } = weightsOf(value);
        await edge.receiveWeights(id, bytes.length, frames(bytes));
        return id;
      },
      async holds(...weights) {
        return (await edge.inventory({ packages: [], weights })).weights;
      },
      train: (job) => edge.train(job, () => {}, forever),
    });
  });
}

function trainJob(weights: string, own: Partial<TrainJob> = {}): TrainJob {
  return jobOf(weights, { modelId: "sum", packageHash: PACKAGE.hash, dataset: "D", ...own });
}

Deno.test("Edge.echo() answers Ack, and makes the trainer ready", async () => {
  await withEdge(({ edge, trainer }) => {
    assert.equal(edge.echo(), "Ack");
    assert.deepEqual(trainer.prepared, ["/data/D"]);
    return Promise.resolve();
  });
});

Deno.test("Edge.inventory() tells which of the asked packages and weights are there", async () => {
  await withEdge(async ({ edge, send }) => {
    const asked = { packages: ["0", PACKAGE.hash], weights: [weightsOf(1).id, weightsOf(2).id] };
    assert.deepEqual(await edge.inventory(asked), { packages: [], weights: [] });
    await edge.receivePackage(PACKAGE);
    const id = await send(2);
    assert.deepEqual(await edge.inventory(asked), { packages: [PACKAGE.hash], weights: [id] });
  });
});

Deno.test("Edge.receivePackage() takes a package and says that the client has changed", async () => {
  await withEdge(async ({ edge, changes }) => {
    await edge.receivePackage(PACKAGE);
    assert.equal(changes(), 1);
    const lie = { ...PACKAGE, hash: "0".repeat(64) };
    await assert.rejects(edge.receivePackage(lie), {
      name: "ModelError",
      message: /it claims 0000/,
    });
    assert.equal(changes(), 1);
  });
});

Deno.test("Edge.receiveFile() answers as the original and makes a package of the files", async () => {
  await withEdge(async ({ edge, changes }) => {
    const answer = await edge.receiveFile("sum", "model.json", PACKAGE.files["model.json"]!);
    assert.equal(answer, "workstation_1 successfully received sum/model.json");
    assert.equal(changes(), 1);
    const held = await edge.inventory({ packages: [PACKAGE.hash], weights: [] });
    assert.deepEqual(held.packages, [PACKAGE.hash]);
    await assert.rejects(edge.receiveFile("sum", "../x", new Uint8Array(1)), ModelError);
  });
});

Deno.test("Edge.receiveWeights() keeps two versions, the newest", async () => {
  await withEdge(async ({ send, holds }) => {
    const [one, two, three] = [await send(1), await send(2), await send(3)];
    assert.deepEqual(await holds(one, two, three), [two, three]);
    // Sent once more, the second is the newest.
    await send(2);
    const four = await send(4);
    assert.deepEqual(await holds(one, two, three, four), [two, four]);
  });
});

Deno.test("Edge.receiveWeights() deletes old weights that an earlier process has left", async () => {
  const store = openMemoryStore();
  const held: string[] = [];
  for (const value of [1, 2, 3]) held.push((await store.blobs.put(weightsOf(value).bytes)).id);
  await withEdge(
    async ({ send, holds }) => {
      assert.deepEqual(await holds(...held), held, "the leader may still count on any of them");
      const four = await send(4);
      assert.deepEqual(await holds(...held, four), [held[2], four]);
    },
    new FakeTrainer(),
    store,
    held,
  );
});

Deno.test("Edge.receiveWeights() refuses other weights than announced and keeps none of them", async () => {
  await withEdge(async ({ edge, send, holds }) => {
    const held = await send(1);
    const { id, bytes } = weightsOf(2);
    const claimed = "0".repeat(64);
    await assert.rejects(edge.receiveWeights(claimed, bytes.length, frames(bytes)), {
      name: "WeightsError",
      message: `Cannot store bytes with hash ${id}: they claim ${claimed}`,
    });
    assert.deepEqual(await holds(held, id, claimed), [held]);
  });
});

Deno.test("Edge.receiveWeights() does not lose held weights to a call that announces others", async () => {
  await withEdge(async ({ edge, send, holds }) => {
    const held = await send(1);
    const { bytes } = weightsOf(1);
    await assert.rejects(edge.receiveWeights("0".repeat(64), bytes.length, frames(bytes)));
    assert.deepEqual(await holds(held), [held]);
  });
});

Deno.test("Edge.receiveWeights() keeps nothing of a stream that breaks", async () => {
  await withEdge(async ({ edge, holds, send }) => {
    const held = await send(1);
    const { id, bytes } = weightsOf(2);
    async function* broken() {
      yield await Promise.resolve(bytes.subarray(0, 20));
      throw new Error("the line is cut");
    }
    await assert.rejects(edge.receiveWeights(id, bytes.length, broken()), /the line is cut/);
    assert.deepEqual(await holds(held, id), [held]);
  });
});

Deno.test("Edge.train() hands the trainer package, data, weights, options and seeds", async () => {
  await withEdge(async ({ edge, trainer, send }) => {
    await edge.receivePackage(PACKAGE);
    const job = trainJob(await send(2));
    const progress: unknown[] = [];
    const { header, bytes } = await edge.train(job, (step) => progress.push(step), forever);
    assert.deepEqual([...decodeWeights(new Uint8Array(bytes)).values], [3, 3, 3]);
    assert.equal(header.weights, weightsId(bytes));
    assert.deepEqual([header.bytes, header.samples, header.metrics.loss], [bytes.length, 80, 0.5]);
    assert.deepEqual(progress, [{ batchesDone: 1, batchesTotal: 1, loss: 0.5 }]);
    const [request] = trainer.trained;
    assert.equal(request!.modelPackage.hash, PACKAGE.hash);
    assert.deepEqual(request!.args, job.modelArgs);
    assert.deepEqual(request!.settings, job.options);
    assert.deepEqual([request!.datasetFolder, request!.seed], ["/data/D", job.seed]);
  });
});

Deno.test("Edge splits train from test items alike in all rounds, sessions and calls", async () => {
  await withEdge(async ({ edge, trainer, send, train }) => {
    await edge.receivePackage(PACKAGE);
    const weights = await send(1);
    await train(trainJob(weights, { round: 1, seed: 1 }));
    await train(trainJob(weights, { round: 2, seed: 2, session: "another" }));
    await edge.validate(trainJob(weights, { round: 3, seed: 3 }), forever);
    const seeds = [...trainer.trained, ...trainer.evaluated].map(({ splitSeed }) => splitSeed);
    assert.equal(seeds.length, 3);
    assert.equal(new Set(seeds).size, 1);
    assert.notEqual(seeds[0], null);
  });
});

Deno.test("Edge.validate() evaluates the job's weights on the client's own test items", async () => {
  await withEdge(async ({ edge, trainer, send }) => {
    await edge.receivePackage(PACKAGE);
    const job = trainJob(await send(2));
    assert.deepEqual(await edge.validate(job, forever), { loss: 2, accuracy: 0.5, samples: 10 });
    const { datasetFolder, batchSize, loss } = trainer.evaluated[0]!;
    assert.deepEqual([datasetFolder, batchSize, loss], ["/data/D", 32, "crossentropy"]);
  });
});

for (const [slowdown, expected] of [[undefined, 1], [4, 4]] as const) {
  Deno.test(`Edge has all its work done ${expected} times as slowly if told ${slowdown}`, () =>
    withEdge(
      async ({ edge, trainer, send, train }) => {
        await edge.receivePackage(PACKAGE);
        const job = trainJob(await send(1));
        await train(job);
        await edge.benchmark(job, forever);
        await edge.validate(job, forever);
        const asked = [...trainer.trained, ...trainer.evaluated].map(({ slowdown }) => slowdown);
        assert.deepEqual(asked, [expected, expected, expected]);
      },
      new FakeTrainer(),
      openMemoryStore(),
      [],
      slowdown,
    ));
}

Deno.test("Edge.train() with the trainer echo answers with the weights it got, untrained", async () => {
  await withEdge(async ({ trainer, send, train }) => {
    const weights = await send(2);
    const { header, bytes } = await train(trainJob(weights, { trainer: "echo" }));
    assert.deepEqual([header.weights, header.samples], [weights, 100]);
    assert.equal(weightsId(bytes), weights);
    assert.deepEqual(trainer.calls, []);
  });
});

Deno.test("Edge.train() refuses a job without its data, weights or package, by name", async () => {
  await withEdge(async ({ edge, trainer, send, train }) => {
    const weights = await send(1);
    await assert.rejects(train(trainJob(weights, { dataset: "E" })), {
      name: "DataError",
      message: 'Cannot find the dataset "E" on this client: it has D',
    });
    const missing = weightsOf(9).id;
    await assert.rejects(train(trainJob(missing)), {
      name: "RpcError",
      failure: "refused",
      message: `The weights ${missing} are not on this client`,
    });
    await assert.rejects(train(trainJob(weights)), {
      name: "RpcError",
      failure: "refused",
      message: `The model package ${PACKAGE.hash} is not on this client`,
    });
    await edge.receivePackage(modelPackage("sum", { "model.json": new Uint8Array(1) }));
    await assert.rejects(train(trainJob(weights)), { failure: "refused" });
    assert.deepEqual(trainer.calls, []);
  });
});

Deno.test("Edge.train() passes on why the trainer refuses", async () => {
  const error = new ModelError("does not fit");
  await withEdge(
    async ({ edge, send, train }) => {
      await edge.receivePackage(PACKAGE);
      await assert.rejects(train(trainJob(await send(1))), error);
    },
    new FakeTrainer((call) => {
      if (call === "train") throw error;
    }),
  );
});

Deno.test("Edge.train() delivers a finished result again instead of training, until release()", async () => {
  await withEdge(async ({ edge, trainer, send, train }) => {
    await edge.receivePackage(PACKAGE);
    const job = trainJob(await send(2));
    const first = await train(job);
    const again = await train(job);
    assert.deepEqual(again.header, first.header);
    assert.deepEqual(new Uint8Array(again.bytes), new Uint8Array(first.bytes));
    assert.equal(trainer.trained.length, 1);
    await edge.release("another session");
    await train(job);
    assert.equal(trainer.trained.length, 1);
    await edge.release(job.session);
    await train(job);
    assert.equal(trainer.trained.length, 2);
  });
});

Deno.test("Edge.train() takes a session's next job as the record of the last result", async () => {
  await withEdge(async ({ edge, trainer, send, train }) => {
    await edge.receivePackage(PACKAGE);
    const weights = await send(2);
    await train(trainJob(weights, { round: 1 }));
    await train(trainJob(weights, { round: 2 }));
    await train(trainJob(weights, { round: 1 }));
    assert.equal(trainer.trained.length, 3);
  });
});

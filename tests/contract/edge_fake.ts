/** A client's handlers that remember what they were given, for tests of transports. */
import { Buffer } from "node:buffer";
import type { ModelPackage } from "../../src/core/model_package.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import type { EdgeHandlers, FinishedUpdate, TrainJob } from "../../src/rpc/transport.ts";

/** Handlers that accept everything, and what they have accepted. */
export interface EdgeFake extends EdgeHandlers {
  readonly packages: ModelPackage[];
  readonly files: { modelId: string; fileName: string; bytes: Uint8Array }[];
  readonly weights: Map<string, Uint8Array>;
  readonly jobs: TrainJob[];
  readonly released: string[];
}

/** Makes handlers; `own` replaces some. Training answers with the weights that the job names. */
export function edgeFake(own: Partial<EdgeHandlers> = {}): EdgeFake {
  const fake: EdgeFake = {
    packages: [],
    files: [],
    weights: new Map(),
    jobs: [],
    released: [],
    echo: () => "Ack",
    inventory: ({ packages, weights }) =>
      Promise.resolve({
        packages: packages.filter((hash) => fake.packages.some((held) => held.hash === hash)),
        weights: weights.filter((id) => fake.weights.has(id)),
      }),
    receiveFile(modelId, fileName, bytes) {
      fake.files.push({ modelId, fileName, bytes });
      return Promise.resolve(`fake successfully received ${modelId}/${fileName}`);
    },
    receivePackage(modelPackage) {
      fake.packages.push(modelPackage);
      return Promise.resolve();
    },
    async receiveWeights(id, _size, bytes) {
      const chunks = await Array.fromAsync(bytes);
      fake.weights.set(id, Buffer.concat(chunks));
    },
    train(job, onProgress) {
      fake.jobs.push(job);
      onProgress({ batchesDone: 1, batchesTotal: 2, loss: null });
      onProgress({ batchesDone: 2, batchesTotal: 2, loss: 0.5 });
      return Promise.resolve(updateOf(fake.weights.get(job.weights) ?? new Uint8Array(0)));
    },
    benchmark(job) {
      fake.jobs.push(job);
      return Promise.resolve({ miniBatches: 12, seconds: 1.5 });
    },
    validate(job) {
      fake.jobs.push(job);
      return Promise.resolve({ loss: 0.25, accuracy: null, samples: 40 });
    },
    release(session) {
      fake.released.push(session);
      return Promise.resolve();
    },
  };
  return Object.assign(fake, own);
}

/** A finished update of the given bytes. */
export function updateOf(bytes: Uint8Array): FinishedUpdate {
  const test = { loss: 0.75, accuracy: 0.875, samples: 8 };
  const metrics = {
    loss: 0.5,
    accuracy: null,
    test,
    epochs: 1.5,
    miniBatches: 3,
    trainSeconds: 0.125,
    arithmetic: "portable" as const,
    device: "cpu" as const,
    threads: 2,
  };
  const header = { weights: weightsId(bytes), bytes: bytes.length, samples: 32, metrics };
  return { header, bytes };
}

/** A job that starts from the given weights. */
export function jobOf(weights: string, own: Partial<TrainJob> = {}): TrainJob {
  return {
    session: "6b3e1f9e-2b80-4a37-9a53-2a2cf3c1e7aa",
    round: 3,
    modelId: "MLP",
    packageHash: "ab".repeat(32),
    modelArgs: { units: [128, 10], deep: { activation: "relu", bias: null } },
    dataset: "MNIST",
    weights,
    options: {
      batchSize: 32,
      epochs: 2,
      learningRate: 0.1,
      loss: "crossentropy",
      optimizer: "sgd",
      optimizerArgs: { momentum: 0.9 },
      timeLimitSeconds: 1.5,
      maxMiniBatches: null,
    },
    seed: 0xffff_ffff,
    trainer: "train",
    ...own,
  };
}

/** Bytes that differ everywhere, so that a lost or repeated frame shows. */
export function bytesOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

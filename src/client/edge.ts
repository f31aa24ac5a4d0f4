/** What a client answers to its leader: takes packages and weights, trains, evaluates. */
import { crashPoint } from "../core/crash_point.ts";
import { DataError, messageOf, RpcError } from "../core/errors.ts";
import type { ClientName, WeightsId } from "../core/ids.ts";
import type { Benchmark, Evaluation } from "../core/metrics.ts";
import { deriveSeed } from "../core/derive_seed.ts";
import { weightsId } from "../core/weights_id.ts";
import type { DatasetDescription } from "../discovery/discovery.ts";
import type { Logger } from "../log/log.ts";
import type {
  EdgeHandlers,
  FinishedUpdate,
  Inventory,
  TrainJob,
  TrainProgress,
} from "../rpc/transport.ts";
import type { Blobs } from "../state/store.ts";
import type { ModelSource, Trainer, TrainingRequest } from "../training/trainer.ts";
import type { KeptResults } from "./kept_results.ts";
import { checkPackage, type PackageCache } from "./package_cache.ts";
import { Trainings } from "./trainings.ts";

/** A dataset that a client may train on. */
export interface LocalDataset {
  readonly folder: string;
  readonly description: DatasetDescription;
}

/** What a client's answers rest on. */
export interface EdgeOptions {
  readonly name: ClientName;
  /** By name, as in the client's advert. */
  readonly datasets: ReadonlyMap<string, LocalDataset>;
  readonly packages: PackageCache;
  /** Keeps the weights that the leader has sent. */
  readonly weights: Blobs;
  /** Those that an earlier process has kept, the oldest first. @default {[]} */
  readonly heldWeights?: readonly WeightsId[];
  readonly results: KeptResults;
  readonly trainer: Trainer;
  /** How many times as long as here its steps take, for trials with slow devices. @default {1} */
  readonly slowdown?: number;
  readonly logger: Logger;
  /** Called when the packages held have changed. */
  onPackages(): void;
}

/** Versions of the global weights that a client keeps: the current one and the one before. */
const KEPT_WEIGHTS = 2;

/** A client's side of the calls. */
export class Edge implements EdgeHandlers {
  readonly #options: EdgeOptions;
  /** Ids of the weights received, the newest last. */
  #received: WeightsId[];
  readonly #trainings = new Trainings();

  constructor(options: EdgeOptions) {
    this.#options = options;
    this.#received = [...options.heldWeights ?? []];
  }

  echo(): string {
    // Whom the leader asks, it is about to send weights to: enough time to start a worker.
    const [only, ...others] = this.#options.datasets.values();
    if (only !== undefined && others.length === 0) this.#options.trainer.prepare?.(only.folder);
    return "Ack";
  }

  async inventory(asked: Inventory): Promise<Inventory> {
    const { packages, weights } = this.#options;
    const held = await Promise.all(asked.weights.map((id) => weights.has(id)));
    return {
      packages: asked.packages.filter((hash) => packages.find(hash) !== undefined),
      weights: asked.weights.filter((_, i) => held[i]),
    };
  }

  async receiveFile(modelId: string, fileName: string, bytes: Uint8Array): Promise<string> {
    await this.#options.packages.putFile(modelId, fileName, bytes);
    this.#options.onPackages();
    return `${this.#options.name} successfully received ${modelId}/${fileName}`;
  }

  async receivePackage(received: Parameters<EdgeHandlers["receivePackage"]>[0]): Promise<void> {
    await this.#options.packages.put(checkPackage(received));
    this.#options.onPackages();
  }

  async receiveWeights(
    id: WeightsId,
    _size: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { weights } = this.#options;
    await weights.put(bytes, id);
    this.#received = [...this.#received.filter((known) => known !== id), id];
    while (this.#received.length > KEPT_WEIGHTS) await weights.delete(this.#received.shift()!);
  }

  async train(
    job: TrainJob,
    onProgress: (progress: TrainProgress) => void,
    signal: AbortSignal,
  ): Promise<FinishedUpdate> {
    const { description } = this.#dataset(job);
    if (job.trainer === "echo") return echoed(job, await this.#weights(job), description);
    const kept = await this.#keptResult(job);
    if (kept !== null) return kept;
    return await this.#trainings.join(
      job,
      (progress, stop) => this.#train(job, progress, stop),
      onProgress,
      signal,
    );
  }

  async release(session: string): Promise<void> {
    this.#trainings.end(session);
    await this.#options.results.release(session);
  }

  /** The result of a job that was finished before; it is delivered, not trained, again. */
  async #keptResult(job: TrainJob): Promise<FinishedUpdate | null> {
    const { results, logger } = this.#options;
    if (this.#trainings.has(job)) return null;
    await results.release(job.session, job);
    const kept = await results.find(job);
    if (kept !== null) {
      logger.info("kept_result", `Delivering round ${job.round} again, trained before`);
    }
    return kept;
  }

  async #train(
    job: TrainJob,
    onProgress: (progress: TrainProgress) => void,
    signal: AbortSignal,
  ): Promise<FinishedUpdate> {
    const { trainer, results, logger } = this.#options;
    const request = await this.#trainingRequest(job);
    logger.info("training", `Training ${job.modelId} on ${job.dataset}, round ${job.round}`);
    const { weights: bytes, samples, metrics } = await trainer.train(request, onProgress, signal);
    signal.throwIfAborted();
    crashPoint("trained");
    const update = {
      header: { weights: weightsId(bytes), bytes: bytes.length, samples, metrics },
      bytes,
    };
    await results.keep(job, update).catch((error) => {
      // The leader can have it all the same; only a crash before that would cost a training.
      logger.warning("result_not_kept", messageOf(error));
    });
    // The leader may have moved on while it was being written.
    if (signal.aborted) await results.drop(job);
    logger.info(
      "trained",
      `Trained round ${job.round}: loss ${metrics.loss.toFixed(4)}, ` +
        `${metrics.miniBatches} batches in ${metrics.trainSeconds.toFixed(2)} s`,
    );
    return update;
  }

  async validate(job: TrainJob, signal: AbortSignal): Promise<Evaluation> {
    return await this.#options.trainer.evaluate({
      ...await this.#work(job),
      batchSize: job.options.batchSize,
      loss: job.options.loss,
    }, signal);
  }

  async benchmark(job: TrainJob, signal: AbortSignal): Promise<Benchmark> {
    const { trainer, logger } = this.#options;
    const request = await this.#trainingRequest(job);
    const { metrics } = await trainer.train(request, () => {}, signal);
    const { miniBatches, trainSeconds: seconds } = metrics;
    if (miniBatches === 0) {
      throw new RpcError("refused", `Not one mini-batch was done in ${seconds} s`);
    }
    logger.info("benchmarked", `Trained ${miniBatches} batches in ${seconds.toFixed(2)} s`);
    return { miniBatches, seconds };
  }

  async #trainingRequest(job: TrainJob): Promise<TrainingRequest> {
    return { ...await this.#work(job), settings: job.options, seed: job.seed };
  }

  /** What training and evaluation have in common. */
  async #work(job: TrainJob) {
    return {
      datasetFolder: this.#dataset(job).folder,
      weights: await this.#weights(job),
      ...this.#source(job),
      splitSeed: this.#splitSeed(job),
      slowdown: this.#options.slowdown ?? 1,
    };
  }

  #source(job: TrainJob): ModelSource {
    const modelPackage = this.#options.packages.find(job.packageHash);
    if (modelPackage === undefined) {
      throw new RpcError("refused", `The model package ${job.packageHash} is not on this client`);
    }
    return { modelPackage, args: job.modelArgs };
  }

  #dataset({ dataset }: TrainJob): LocalDataset {
    const held = this.#options.datasets.get(dataset);
    if (held !== undefined) return held;
    const known = [...this.#options.datasets.keys()].join(", ") || "none";
    throw new DataError(`Cannot find the dataset "${dataset}" on this client: it has ${known}`);
  }

  async #weights({ weights }: TrainJob): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#options.weights.get(weights);
    if (bytes === null) {
      throw new RpcError("refused", `The weights ${weights} are not on this client`);
    }
    return bytes;
  }

  /** The same in all rounds and sessions: a client's test items are never trained on. */
  #splitSeed({ dataset }: TrainJob): number {
    return deriveSeed("split", this.#options.name, dataset);
  }
}

/** Answers with the weights as they came, as if they had been trained on all items. */
function echoed(
  job: TrainJob,
  bytes: Uint8Array,
  { metadata }: DatasetDescription,
): FinishedUpdate {
  const metrics = {
    loss: 0,
    accuracy: null,
    test: null,
    epochs: 0,
    miniBatches: 0,
    trainSeconds: 0,
  };
  return {
    header: { weights: job.weights, bytes: bytes.length, samples: metadata.num_items, metrics },
    bytes,
  };
}
